// SPDX-License-Identifier: GPL-2.0-only
/* ioevq supervise: how it stops, and what becomes of processes that services leave. */
#include "supervised.h"

FIXTURE(supervise_stop)
{
	struct supervised s;
};

/* As process 1 of a container, and as any other process */
FIXTURE_VARIANT(supervise_stop)
{
	unsigned long namespaces;
};

FIXTURE_VARIANT_ADD(supervise_stop, any) {
	.namespaces = 0
};

FIXTURE_VARIANT_ADD(supervise_stop, first) {
	.namespaces = CLONE_NEWPID
};

FIXTURE_SETUP(supervise_stop)
{
	ASSERT_EQ(0, supervised_begin(&self->s));
	self->s.namespaces = variant->namespaces;
}

FIXTURE_TEARDOWN(supervise_stop)
{
	(void)variant;
	supervised_end(&self->s);
}

TEST_F(supervise_stop, asks_services_to_stop)
{
	ASSERT_EQ(0, put_trapping("trap 'echo bye >said; exit 7' TERM; echo $$ >up",
				  "b: exec sleep 1000\n"
				  "c: exit 1\n"));
	ASSERT_TRUE(START(&self->s, "--backoff", "900..1000"));
	ASSERT_TRUE(eventually(number_in("up") && logged("b", "started") &&
			       logged("c", "exited 1")));
	EXPECT_EQ(0, stops(&self->s));
	EXPECT_STREQ("bye\n", contents("said"));
	EXPECT_EQ(1, logged("a", "exited 7"));
	EXPECT_EQ(1, logged("b", "killed by SIGTERM"));
	EXPECT_EQ(1, logged("supervise", "SIGTERM: stops"));
	EXPECT_EQ(1, logged("supervise", "ends"));
	EXPECT_FALSE(exists("sock"));
}

/* Killed, and not too early. */
TEST_F(supervise_stop, kills_who_does_not)
{
	long long begin;

	ASSERT_EQ(0, put_trapping("trap '' TERM; echo $$ >up", ""));
	ASSERT_TRUE(START(&self->s, "--stop-timeout", "0.5"));
	ASSERT_TRUE(eventually(number_in("up")));
	begin = now_ns();
	EXPECT_EQ(0, stops(&self->s));
	EXPECT_LE(500 * 1000000LL, now_ns() - begin);
	EXPECT_EQ(1, logged("a", "did not stop within 0.5 s"));
	EXPECT_EQ(1, logged("a", "killed by SIGKILL"));
}

TEST_F(supervise_stop, at_once_if_told_twice)
{
	ASSERT_EQ(0, put_trapping("trap '' TERM; echo $$ >up", ""));
	ASSERT_TRUE(START(&self->s, "--stop-timeout", "10000"));
	ASSERT_TRUE(eventually(number_in("up")));
	ASSERT_EQ(0, kill(self->s.pid, SIGINT));
	ASSERT_TRUE(eventually(logged("supervise", "SIGINT: stops")));
	EXPECT_EQ(0, logged("a", "killed"));
	EXPECT_EQ(0, stops(&self->s));
	EXPECT_EQ(1, logged("a", "killed by SIGKILL"));
}

/* The service itself ends at once, a child of it has to be killed. */
TEST_F(supervise_stop, kills_the_rest_of_a_group)
{
	ASSERT_EQ(0, put("services",
			 "a: (trap '' TERM; echo x >up; exec sleep 1000) & echo $! >left; wait\n"));
	ASSERT_TRUE(START(&self->s, "--stop-timeout", "0.5"));
	ASSERT_TRUE(eventually(exists("up") && number_in("left")));
	EXPECT_EQ(0, stops(&self->s));
	EXPECT_EQ(1, logged("a", "killed by SIGTERM"));
	EXPECT_EQ(1, logged("a", "did not stop within 0.5 s"));
	/* Its number is that of another namespace, else. */
	EXPECT_TRUE(variant->namespaces || is_gone(number_in("left")));
}

/* It has not heard that its service was told to stop. */
TEST_F(supervise_stop, stops_what_is_born_meanwhile)
{
	ASSERT_EQ(0, put_trapping("trap 'sleep 1000 & sleep 0.5; exit 3' TERM; echo $$ >up",
				  ""));
	ASSERT_TRUE(START(&self->s, "--stop-timeout", "10000"));
	ASSERT_TRUE(eventually(number_in("up")));
	EXPECT_EQ(0, stops(&self->s));
	EXPECT_EQ(1, logged("a", "exited 3"));
}

/* A service that crashed is not started while its children are there. */
TEST_F(supervise_stop, clears_before_it_restarts)
{
	ASSERT_EQ(0, put("services",
			 "a: if [ -e left ] && kill -0 $(tail -n1 left); then echo x >>alive; fi;"
			 " sleep 1000 & echo $! >>left; exit 1\n"));
	ASSERT_TRUE(START(&self->s, "--backoff", "0.01..0.02"));
	ASSERT_TRUE(eventually(logged("a", "exited 1") >= 5));
	EXPECT_LE(4, told("orphans"));
	EXPECT_EQ(0, stops(&self->s));
	EXPECT_FALSE(exists("alive"));
}

/*
 * Nothing tells that the last one has left the group: nobody is waited for, or killed. That it
 * leaves in time is a matter of seconds where the kernel is slow.
 */
TEST_F(supervise_stop, who_has_left_the_group_is_left_alone)
{
	ASSERT_EQ(0, put("services",
			 "a: (trap '' TERM; echo x >up; sleep 0.3; echo $$ >>left;"
			 " exec setsid sleep 1000) & while ! [ -e up ]; do :; done; exit 1\n"));
	ASSERT_TRUE(START(&self->s, "--backoff", "0.01..0.01", "--stop-timeout", "6"));
	ASSERT_TRUE(eventually(logged("a", "started") >= 2));
	EXPECT_EQ(0, logged("a", "did not stop"));
	EXPECT_EQ(0, stops(&self->s));
}

TEST_F(supervise_stop, signals_are_passed_on)
{
	ASSERT_EQ(0, put_trapping("for s in USR1 USR2 WINCH; do trap \"echo $s >>said\" $s; done;"
				  " echo $$ >up", ""));
	ASSERT_TRUE(START(&self->s, NULL));
	ASSERT_TRUE(eventually(number_in("up")));
	ASSERT_EQ(0, kill(self->s.pid, SIGUSR1));
	EXPECT_TRUE(eventually(!strcmp("USR1\n", contents("said"))));
	ASSERT_EQ(0, kill(self->s.pid, SIGUSR2));
	EXPECT_TRUE(eventually(!strcmp("USR1\nUSR2\n", contents("said"))));
	ASSERT_EQ(0, kill(self->s.pid, SIGWINCH));
	EXPECT_TRUE(eventually(!strcmp("USR1\nUSR2\nWINCH\n", contents("said"))));
	EXPECT_EQ(0, logged("a", "exited"));
	EXPECT_EQ(0, stops(&self->s));
}

/* Of sessions of their own, and not: all are reaped, by whoever they are left to. */
TEST_F(supervise_stop, orphans_are_reaped)
{
	ASSERT_EQ(0, put("services",
			 "a: for i in 1 2 3 4 5 6 7 8 9 10; do (sleep 0.01 & setsid sh -c 'exit 3' &);"
			 " done; echo $$ >up; exec sleep 1000\n"));
	ASSERT_TRUE(START(&self->s, NULL));
	ASSERT_TRUE(eventually(number_in("up")));
	EXPECT_TRUE(eventually(told("orphans") == 20));
	EXPECT_EQ(0, children_of(self->s.pid, 'Z'));
	EXPECT_EQ(1, told("running"));
	EXPECT_EQ(0, stops(&self->s));
}

TEST_F(supervise_stop, services_are_told_when_it_is_killed)
{
	ASSERT_EQ(0, put_trapping("trap 'echo bye >said; exit 7' TERM; echo $$ >up", ""));
	ASSERT_TRUE(START(&self->s, NULL));
	ASSERT_TRUE(eventually(number_in("up")));
	ASSERT_EQ(0, kill(self->s.pid, SIGKILL));
	EXPECT_EQ(1000 + SIGKILL, ends(&self->s));
	/* With process 1 the kernel kills all. */
	EXPECT_TRUE(variant->namespaces || eventually(!strcmp("bye\n", contents("said"))));
}

TEST_F(supervise_stop, a_stopped_service_stops)
{
	ASSERT_EQ(0, put("services", "a: echo $$ >up; kill -STOP $$\n"));
	ASSERT_TRUE(START(&self->s, "--stop-timeout", "10000"));
	ASSERT_TRUE(eventually(children_of(self->s.pid, 'T') == 1));
	EXPECT_EQ(0, stops(&self->s));
	EXPECT_EQ(1, logged("a", "killed by SIGTERM"));
}

TEST_HARNESS_MAIN
