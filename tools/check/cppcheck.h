/* SPDX-License-Identifier: GPL-2.0-only */
/* What cppcheck has to know of the kernel's headers, which it does not read. */
void *ioevq_any(void);
#define CONFIG_FSNOTIFY 1
#define CONFIG_PREEMPT_NOTIFIERS 1
#define list_for_each(pos, head) \
	for (pos = ioevq_any(); pos != (head); pos = ioevq_any())
#define list_for_each_entry(pos, head, member) \
	for (pos = ioevq_any(); pos != (void *)(head); pos = ioevq_any())
#define list_for_each_entry_reverse(pos, head, member) \
	list_for_each_entry(pos, head, member)
#define list_for_each_entry_rcu(pos, head, member, cond) \
	list_for_each_entry(pos, head, member)
#define list_for_each_entry_safe(pos, n, head, member) \
	for (pos = ioevq_any(), n = ioevq_any(); pos != (void *)(head); pos = n, n = ioevq_any())
#define llist_for_each_entry_safe(pos, n, head, member) \
	for (pos = ioevq_any(); pos; pos = ioevq_any())
#define hlist_for_each_entry(pos, head, member) \
	for (pos = ioevq_any(); pos; pos = ioevq_any())
#define hlist_for_each_entry_safe(pos, n, head, member) \
	for (pos = ioevq_any(); pos; pos = ioevq_any())
