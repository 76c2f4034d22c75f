// SPDX-License-Identifier: GPL-2.0-only
/* The tracepoints are those that Documentation/tracing.rst tells of, and tell what happens. */
#include "observe.h"

#define EVENTS		TRACEFS "/events/ioevq"
#define INSTANCE	TRACEFS "/instances/ioevq-selftest"

#define REST		" addr=0x0 off=0x0 len=0\n"

/* It was traced. */
#define HAS(_line)	EXPECT_NE(NULL, strstr(traced(self), _line))

static int into(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = write(fd, text, strlen(text));

	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* "name type" of each field of a tracepoint, as its format says, in one line. */
static void fields_of(const char *event, char *out)
{
	char path[256], line[256], type[32], name[32];
	FILE *f;

	snprintf(path, sizeof(path), EVENTS "/%s/format", event);
	f = fopen(path, "re");
	*out = 0;
	while (f && fgets(line, sizeof(line), f))
		if (!strstr(line, " common_") &&
		    sscanf(line, "\tfield:%31s %31[a-z_];", type, name) == 2)
			out += sprintf(out, "%s %s, ", name, type);
	if (f)
		fclose(f);
}

static int events_in(const char *dir)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	int n = 0;

	while (d && (entry = readdir(d)))
		n += !strncmp(entry->d_name, "ioevq_", 6);
	if (d)
		closedir(d);
	return n;
}

/* Each paragraph that begins with the name of one is followed by a table of its fields. */
TEST(fields_are_as_documented)
{
	char line[512], event[64] = "", told[1024] = "", is[1024], name[32], type[32];
	FILE *doc = fopen(in_checkout("Documentation/tracing.rst"), "re");
	int events = 0, more;

	ASSERT_NE(NULL, doc);
	do {
		more = !!fgets(line, sizeof(line), doc);
		if (more && sscanf(line, "   * - ``%31[a-z_]`` %31s", name, type) == 2)
			sprintf(told + strlen(told), "%s %s, ", name, type);
		if (more && strncmp(line, "``ioevq_", 8))
			continue;
		if (*event) {
			fields_of(event, is);
			EXPECT_STREQ(is, told)
				TH_LOG("%s", event);
			events++;
		}
		*told = 0;
		if (more)
			EXPECT_EQ(1, sscanf(line, "``%63[a-z_]``: ", event));
	} while (more);
	fclose(doc);
	EXPECT_EQ(events_in(EVENTS), events);
	EXPECT_EQ(9, events);
}

FIXTURE(tracepoints)
{
	struct ioevq q;
	int fd;			/* an eventfd */
	long long number;
};

FIXTURE_SETUP(tracepoints)
{
	ASSERT_EQ(0, ioevq_open(&self->q, 2, 0));
	self->fd = eventfd(0, EFD_NONBLOCK);
	ASSERT_LE(0, self->fd);
	self->number = number_of(self->q.fd, "queue");
	rmdir(INSTANCE);
	ASSERT_EQ(0, mkdir(INSTANCE, 0755));
	ASSERT_EQ(0, into(INSTANCE "/events/ioevq/enable", "1"));
}

FIXTURE_TEARDOWN(tracepoints)
{
	EXPECT_EQ(0, into(INSTANCE "/events/ioevq/enable", "0"));
	EXPECT_EQ(0, rmdir(INSTANCE));
	close(self->fd);
	ioevq_close(&self->q);
}

/*
 * What was traced of our queue: of each line what follows "ioevq_", with the number of the
 * queue as Q.
 */
static const char *traced(struct _test_data_tracepoints *f)
{
	static char out[65536];
	char line[512], queue[32], *p, *to = out;
	FILE *file = fopen(INSTANCE "/trace", "re");
	int len = snprintf(queue, sizeof(queue), " queue=%lld", f->number);

	*to = 0;
	while (file && fgets(line, sizeof(line), file)) {
		p = strstr(line, ": ioevq_");
		if (!p || !(f->number && strstr(p, queue)))
			continue;
		p += 8;
		to += sprintf(to, "%.*s Q%s", (int)(strchr(p, ':') + 1 - p), p,
			      strstr(p, queue) + len);
	}
	if (file)
		fclose(file);
	return out;
}

TEST_F(tracepoints, a_request_its_event_and_its_end)
{
	struct ioevq_event ev[4];
	char want[2048];

	ASSERT_EQ(-EBADF, watch(&self->q, 1000, POLLIN, IOEVQ_POLL_EDGE, 0x11));
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_EDGE, 0x12));
	ASSERT_EQ(0, eventfd_write(self->fd, 1));
	ASSERT_EQ(1, enter_wait(&self->q, ev, 1, 1, BOUND_NS));
	ASSERT_EQ(0, ioevq_cancel_all(&self->q, 0x13));
	ASSERT_EQ(2, enter_wait(&self->q, ev, 2, 4, BOUND_NS));
	snprintf(want, sizeof(want),
		 "submit: Q op=POLL user_data=0x11 fd=1000 flags=0x0 op_flags=0x1 op_arg=0x1" REST
		 "refuse: Q op=POLL user_data=0x11 fd=1000 error=-9\n"
		 "submit: Q op=POLL user_data=0x12 fd=%d flags=0x0 op_flags=0x1 op_arg=0x1" REST
		 "post: Q op=POLL user_data=0x12 seq=0 res=1 flags=MORE backlog=0 data=0x0\n"
		 "take: Q op=POLL user_data=0x12 seq=0 res=1\n"
		 "submit: Q op=CANCEL user_data=0x13 fd=-1 flags=0x0 op_flags=0x0 op_arg=0x0" REST
		 "cancel: Q op=POLL user_data=0x12 by=0x13\n"
		 "post: Q op=POLL user_data=0x12 seq=1 res=-125 flags= backlog=0 data=0x0\n"
		 "post: Q op=CANCEL user_data=0x13 seq=2 res=1 flags= backlog=0 data=0x0\n"
		 "take: Q op=POLL user_data=0x12 seq=1 res=-125\n"
		 "take: Q op=CANCEL user_data=0x13 seq=2 res=1\n", self->fd);
	EXPECT_STREQ(want, traced(self));
}

TEST_F(tracepoints, what_has_no_event)
{
	struct ioevq_req req;

	ioevq_prep_cancel(&req, IOEVQ_CANCEL_OP, 0, -1, IOEVQ_OP_POLL, 0x21);
	req.flags = IOEVQ_REQ_SKIP_SUCCESS;
	ASSERT_EQ(-ENOENT, submit(&self->q, &req));
	ASSERT_EQ(0, watch(&self->q, self->fd, POLLIN, IOEVQ_POLL_EDGE | IOEVQ_POLL_QUIET, 0x22));
	ASSERT_EQ(0, submit(&self->q, &req));
	HAS("refuse: Q op=CANCEL user_data=0x21 fd=-1 error=-2\n");
	HAS("cancel: Q op=POLL user_data=0x22 by=0x21\n"
	    "done: Q op=CANCEL user_data=0x21 fd=-1\n");
	EXPECT_EQ(NULL, strstr(traced(self), "post: "));
}

/* The ring has room for two. */
TEST_F(tracepoints, the_backlog)
{
	struct ioevq_event ev[8];
	unsigned int i;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, ioevq_post(&self->q, i, 5, 0x33));
	ASSERT_EQ(4, enter_wait(&self->q, ev, 4, 8, BOUND_NS));
	HAS("post: Q op=POST user_data=0x1 seq=1 res=5 flags= backlog=0 data=0x33\n");
	HAS("post: Q op=POST user_data=0x3 seq=3 res=5 flags= backlog=2 data=0x33\n");
	HAS("take: Q op=POST user_data=0x3 seq=3 res=5\n");
}

/* One of them has a place outside of the ring. */
TEST_F(tracepoints, a_message_that_is_written)
{
	struct ioevq_event ev = { .op = IOEVQ_OP_POST, .user_data = 0x44 };
	long limit = get_param("max_requests");
	unsigned int i;

	ASSERT_EQ(0, set_param("max_requests", 1));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(sizeof(ev), write(self->q.fd, &ev, sizeof(ev)));
	EXPECT_EQ(-1, write(self->q.fd, &ev, sizeof(ev)));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, set_param("max_requests", limit));
	HAS("refuse: Q op=POST user_data=0x44 fd=-1 error=-11\n");
	HAS("post: Q op=POST user_data=0x44 seq=2 res=0 flags= backlog=1 data=0x0\n");
}

static void *sleeper(void *arg)
{
	struct _test_data_tracepoints *f = arg;
	struct ioevq_event ev[4];

	return (void *)(long)enter_wait(&f->q, ev, 2, 4, BOUND_NS);
}

TEST_F(tracepoints, a_wait)
{
	struct ioevq_event ev;
	pthread_t thread;
	const char *p;
	void *ret;

	ASSERT_EQ(0, enter_wait(&self->q, &ev, 1, 1, 1000000));
	EXPECT_STREQ("wait_begin: Q need=1\nwait_end: Q woken=0\n", traced(self));
	ASSERT_EQ(0, pthread_create(&thread, NULL, sleeper, self));
	ASSERT_TRUE(eventually(query(&self->q).waiting == 1));
	ASSERT_EQ(0, ioevq_post(&self->q, 1, 0, 0) || ioevq_post(&self->q, 2, 0, 0));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	ASSERT_EQ(2, (long)ret);
	p = strstr(traced(self), "wait_begin: Q need=2\nsubmit: ");
	ASSERT_NE(NULL, p);
	p = strstr(p, "wake: Q pid=");
	ASSERT_NE(NULL, p);
	EXPECT_NE(NULL, strstr(p, " need=2 recheck=0 slot=0\n"));
	EXPECT_EQ(strstr(p, "wake: "), p);
	EXPECT_NE(NULL, strstr(p, "wait_end: Q woken=1\n"));
}

TEST_HARNESS_MAIN
