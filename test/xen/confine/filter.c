/* Runs a command under the system-call filter of packaging/xbbd.service, where no systemd runs:
 *
 *     filter COMMAND [ARGUMENT...]
 *
 * allowed.h is made from the unit at build time (unit-rights.ts): ALLOWED(name) for each call that SystemCallFilter lets
 * through, DENIED_ERRNO for all others. As in the unit, only the native architecture may call (another ends the process),
 * sockets are of the unix family, and no namespace can be made; clone3, whose flags a filter cannot see, is not there,
 * and libc falls back to clone. Each refusal stands in the kernel's log, where it audits (type=1326).
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define X32_BIT 0x40000000
#define NAMESPACES (CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS)

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define FAIL(number) RETURN(SECCOMP_RET_ERRNO | (number))
#define UNLESS(test, value, skipped) BPF_JUMP(BPF_JMP | (test) | BPF_K, value, 0, skipped)
#define IF(test, value, skipped) BPF_JUMP(BPF_JMP | (test) | BPF_K, value, skipped, 0)

/* A filter of its own, since this refusal is no news: libc tries it for every thread. */
static struct sock_filter no_clone3[] = {
	LOAD(nr),
	UNLESS(BPF_JEQ, __NR_clone3, 1),
	FAIL(ENOSYS),
	RETURN(SECCOMP_RET_ALLOW),
};

static struct sock_filter program[] = {
	LOAD(arch),
	IF(BPF_JEQ, AUDIT_ARCH_X86_64, 1),
	RETURN(SECCOMP_RET_KILL_PROCESS),
	LOAD(nr),
	UNLESS(BPF_JGE, X32_BIT, 1),
	FAIL(DENIED_ERRNO),

	/* The low word of an argument: flags and families fit there, on a little-endian machine it comes first. */
	UNLESS(BPF_JEQ, __NR_socket, 4),
	LOAD(args[0]),
	IF(BPF_JEQ, AF_UNIX, 1),
	FAIL(EAFNOSUPPORT),
	LOAD(nr),
	UNLESS(BPF_JEQ, __NR_clone, 4),
	LOAD(args[0]),
	UNLESS(BPF_JSET, NAMESPACES, 1),
	FAIL(EPERM),
	LOAD(nr),
	UNLESS(BPF_JEQ, __NR_clone3, 1), RETURN(SECCOMP_RET_ALLOW),
	UNLESS(BPF_JEQ, __NR_unshare, 1),
	FAIL(EPERM),
	UNLESS(BPF_JEQ, __NR_setns, 1),
	FAIL(EPERM),

#define ALLOWED(name) UNLESS(BPF_JEQ, __NR_##name, 1), RETURN(SECCOMP_RET_ALLOW),
#include "allowed.h"

	FAIL(DENIED_ERRNO),
};

static int load(struct sock_filter *filter, size_t bytes, unsigned flags)
{
	struct sock_fprog loaded = { bytes / sizeof *filter, filter };
	return syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, &loaded) != 0;
}

int main(int count, char **arguments)
{
	if (count < 2) {
		fprintf(stderr, "usage: filter COMMAND [ARGUMENT...]\n");
		return 64;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || load(no_clone3, sizeof no_clone3, 0) ||
	    load(program, sizeof program, SECCOMP_FILTER_FLAG_LOG)) {
		fprintf(stderr, "filter: the kernel does not take the filter: %s\n", strerror(errno));
		return 71;
	}
	execvp(arguments[1], arguments + 1);
	fprintf(stderr, "filter: %s: %s\n", arguments[1], strerror(errno));
	return 66;
}
