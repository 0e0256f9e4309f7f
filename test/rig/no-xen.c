/*
 * The C xenstored that Debian ships asks a hypervisor about domains, maps a grant per domain that is introduced and
 * binds an event channel to it. This library, preloaded (LD_PRELOAD), answers in the hypervisor's place, so that the
 * unmodified program serves unix sockets on a machine without Xen:
 *
 *   domains         each one asked about exists and runs
 *   grants          each mapping is a fresh page of zeros: a ring in which nothing ever happens
 *   event channels  are numbered when bound; the descriptor to poll never becomes readable
 *   /proc/xen/xsd_* what domain 0's kernel tells about its own ring: a page, and the number of its channel
 *
 * Prototypes come from Xen's own headers (libxen-dev), so a change of theirs is a compiler's error here.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

enum { page_size = 4096 };

/* Handles are opaque to the caller: any address that is not NULL will do. */
static char some_handle;
static int last_port = 1;

/* Domains. */

xc_interface *xc_interface_open(xentoollog_logger *log, xentoollog_logger *build_log, unsigned flags)
{
	return (void *)&some_handle;
}

int xc_interface_close(xc_interface *xch)
{
	return 0;
}

int xc_domain_getinfo(xc_interface *xch, uint32_t first, unsigned count, xc_dominfo_t *info)
{
	memset(info, 0, sizeof *info);
	info->domid = first;
	info->running = 1;
	return 1;
}

/* Grants. */

xengnttab_handle *xengnttab_open(struct xentoollog_logger *log, unsigned flags)
{
	return (void *)&some_handle;
}

int xengnttab_close(xengnttab_handle *xgt)
{
	return 0;
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t count)
{
	return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
	void *page = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? NULL : page;
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start, uint32_t count)
{
	return munmap(start, (size_t)count * page_size);
}

/* Event channels. */

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *log, unsigned flags)
{
	return (void *)&some_handle;
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *log, int fd, unsigned flags)
{
	return (void *)&some_handle;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
	static int silent = -1;

	if (silent < 0)
		silent = eventfd(0, EFD_CLOEXEC);
	return silent;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid, evtchn_port_t remote)
{
	return ++last_port;
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned virq)
{
	return ++last_port;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
	return -1;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
	return 0;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
	return 0;
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
	return 0;
}

/* What the kernel of domain 0 would say. */

static int file_of(const char *content, size_t size)
{
	int fd = memfd_create("xsd", MFD_CLOEXEC);

	if (fd >= 0 && (ftruncate(fd, size) || pwrite(fd, content, strlen(content), 0) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

int open(const char *path, int flags, ...)
{
	static int (*genuine)(const char *, int, ...);
	mode_t mode = 0;
	va_list more;

	if (!strcmp(path, "/proc/xen/xsd_kva"))
		return file_of("", page_size);
	if (!strcmp(path, "/proc/xen/xsd_port"))
		return file_of("1", 1);
	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(more, flags);
		mode = va_arg(more, mode_t);
		va_end(more);
	}
	if (!genuine)
		genuine = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
	return genuine(path, flags, mode);
}
