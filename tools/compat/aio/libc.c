// SPDX-License-Identifier: MIT
/* The C library's own, for where there are no queues. */
#define _GNU_SOURCE
#include <dlfcn.h>

#include "facade.h"

#define FIND(_member, _name)						\
({									\
	*(void **)&libc._member = dlsym(RTLD_NEXT, _name);		\
	!libc._member;							\
})

/* All of them, or none: not 0. */
int libc_find(void)
{
	return FIND(read, "aio_read") || FIND(write, "aio_write") || FIND(fsync, "aio_fsync") ||
	       FIND(error, "aio_error") || FIND(ret, "aio_return") ||
	       FIND(suspend, "aio_suspend") || FIND(cancel, "aio_cancel") ||
	       FIND(listio, "lio_listio") || FIND(init, "aio_init");
}
