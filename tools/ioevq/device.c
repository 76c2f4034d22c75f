// SPDX-License-Identifier: MIT
/* /dev/ioevq, and what to do if there is none. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "ioevq.h"

int open_device(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		complain("no " DEVICE ": load the module, as root: modprobe ioevq");
		break;
	case EACCES:
	case EPERM:
		complain(DEVICE ": %s: load the module with mode=0666, or be root",
			 strerror(errno));
		break;
	default:
		complain(DEVICE ": %s", strerror(errno));
	}
	return -1;
}
