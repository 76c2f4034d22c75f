// SPDX-License-Identifier: MIT
/* ioevq supervise: the loop, and what it takes to get there. */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "supervise.h"

#define ENTRIES		64
#define BATCH		32

struct supervisor sv = {
	.backoff_min = SECOND,
	.backoff_max = 60 * SECOND,
	.stop_timeout = 10 * SECOND,
};

static void log_of_services(void *arg, unsigned int line, const char *what)
{
	(void)arg;
	if (line)
		log_line(NULL, "%s:%u: %s", sv.path, line, what);
	else
		log_line(NULL, "%s: %s", sv.path, what);
}

void reload(void)
{
	struct spec *list;

	log_reopen();
	if (load_services(sv.path, &list, log_of_services, NULL)) {
		log_line(NULL, "SIGHUP: nothing is changed");
		return;
	}
	if (services_update(list))
		log_line(NULL, "SIGHUP: no memory, nothing is changed");
	else
		log_line(NULL, "SIGHUP: %u services", sv.nr_services);
}

static void dispatch(const struct ioevq_event *ev)
{
	switch (TAG_KIND(ev->user_data)) {
	case KIND_CHILD:
		children_event(ev);
		break;
	case KIND_SIGNAL:
		signals_event();
		break;
	case KIND_TIMER:
		/* All whose time has come are looked for after each event. */
		break;
	case KIND_LOG:
		log_event(ev);
		break;
	case KIND_LISTEN:
		control_accept();
		break;
	default:
		control_event(ev);
	}
}

/* Until there is nothing more to do, which is 0, or a negative errno. */
static int loop(void)
{
	struct ioevq_event events[BATCH];
	int i, n;

	for (;;) {
		timer_run();
		if (services_ended())
			return 0;
		n = ioevq_wait_until(&sv.q, events, 1, BATCH, CLOCK_MONOTONIC, timer_arm());
		if (n < 0 && n != -EINTR)
			return n;
		for (i = 0; i < n; i++)
			dispatch(&events[i]);
	}
}

static int set_up(void)
{
	const uint64_t ops = 1 << IOEVQ_OP_CHILD | 1 << IOEVQ_OP_POLL | 1 << IOEVQ_OP_READ |
			     1 << IOEVQ_OP_WRITE | 1 << IOEVQ_OP_CLOSE | 1 << IOEVQ_OP_TIMER |
			     1 << IOEVQ_OP_TIMER_MOD;
	int fd = open_device(), err;

	if (fd < 0)
		return -1;
	close(fd);
	err = ioevq_open(&sv.q, ENTRIES, ops);
	if (err) {
		complain(DEVICE ": %s", strerror(-err));
		return -1;
	}
	/* Orphans of the services come to us, not to process 1. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	err = signals_watch();
	if (!err)
		err = children_watch();
	if (!err)
		err = timer_open();
	if (err) {
		complain("signals and children cannot be watched: %s", strerror(-err));
		return -1;
	}
	return log_open() || control_open() ? -1 : 0;
}

int supervise(struct spec *list)
{
	int err;

	if (set_up()) {
		specs_free(list);
		return 1;
	}
	sv.since = now();
	if (services_update(list)) {
		complain("%s", strerror(ENOMEM));
		return 1;
	}
	log_line(NULL, "runs %u services of %s", sv.nr_services, sv.path);
	err = loop();
	if (err)
		log_line(NULL, "cannot wait for events: %s", strerror(-err));
	else
		log_line(NULL, "ends");
	log_flush();
	control_close();
	return err || (sv.once && sv.failed && !sv.stopping);
}
