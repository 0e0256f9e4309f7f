// Files and block devices as media: opening, measuring, locking. Nothing here moves data.
//
// The lock is an OFD lock over the whole file on the very description that all I/O uses. It is the fence of crash
// recovery: a killed process is gone at once while its I/O goes on, and only that lock outlives it until the last
// byte is written. Hence O_CLOEXEC everywhere: a child that inherited the descriptor would keep the lock.
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <napi.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "calls.h"
#include "owners.h"
#include "parts.h"

namespace xbbd {
namespace {

napi_value ThrowUnknown(napi_env env) { return Throw(env, EBADF, "EBADF: no such descriptor in the table of owners"); }

/// fileOpen(path, readOnly, direct) → handle
napi_value FileOpen(napi_env env, napi_callback_info info) {
  Args args(env, info);
  std::string path;
  bool readOnly, direct;
  if (!args.Text(0, &path) || path.empty() || !args.Flag(1, &readOnly) || !args.Flag(2, &direct))
    return ThrowInvalid(env, "fileOpen takes a path and two flags");
  // O_NONBLOCK only while opening: what was a file a moment ago may be a FIFO by now, and must not stop the thread.
  const int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (readOnly ? O_RDONLY : O_RDWR) | (direct ? O_DIRECT : 0);
  const int fd = open(path.c_str(), flags);
  if (fd < 0) return ThrowErrno(env, "open");
  const int now = fcntl(fd, F_GETFL);
  if (now < 0 || fcntl(fd, F_SETFL, now & ~O_NONBLOCK) < 0) {
    const int number = errno;
    close(fd);
    errno = number;
    return ThrowErrno(env, "fcntl");
  }
  return Unsigned(env, AdoptFd(fd, "medium"));
}

/// What a direct transfer must be aligned to, as far as the kernel says so (Linux 6.1).
void DirectAlignment(int fd, double* memory, double* offset) {
  *memory = *offset = 0;
#ifdef STATX_DIOALIGN
  struct statx status;
  if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) == 0 && (status.stx_mask & STATX_DIOALIGN)) {
    *memory = status.stx_dio_mem_align;
    *offset = status.stx_dio_offset_align;
  }
#endif
}

/// fileMeasure(handle, out: Float64Array of at least 11): kind (0 regular, 1 block device, 2 anything else), bytes,
/// logical sector, physical sector, direct alignment of memory and of offsets (0 = not said), major and minor of the
/// block device or of the file system's, inode, whether the device is read-only, whether the file lies in memory
napi_value FileMeasure(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  uint8_t* bytes;
  size_t length;
  if (!args.Handle(0, &handle) || !args.Bytes(1, &bytes, &length) || length < 11 * sizeof(double))
    return ThrowInvalid(env, "fileMeasure takes a handle and a Float64Array of 11");
  Borrow borrow;
  const int fd = borrow.TakeFd(handle);
  if (fd < 0) return ThrowUnknown(env);
  struct stat status;
  if (fstat(fd, &status) < 0) return ThrowErrno(env, "fstat");
  double out[11] = {2, static_cast<double>(status.st_size), 512, 512, 0, 0, 0, 0, 0, 0, 0};
  dev_t device = status.st_dev;
  if (S_ISREG(status.st_mode)) {
    struct statfs system;
    out[0] = 0;
    out[10] = fstatfs(fd, &system) == 0 && (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC);
  }
  if (S_ISBLK(status.st_mode)) {
    uint64_t size = 0;
    int logical = 0, readOnly = 0;
    unsigned physical = 0;
    if (ioctl(fd, BLKGETSIZE64, &size) < 0 || ioctl(fd, BLKSSZGET, &logical) < 0) return ThrowErrno(env, "ioctl");
    if (ioctl(fd, BLKPBSZGET, &physical) < 0) physical = static_cast<unsigned>(logical);
    if (ioctl(fd, BLKROGET, &readOnly) < 0) readOnly = 0;
    out[0] = 1;
    out[1] = static_cast<double>(size);
    out[2] = logical;
    out[3] = physical;
    out[9] = readOnly != 0;
    device = status.st_rdev;
  }
  DirectAlignment(fd, &out[4], &out[5]);
  out[6] = major(device);
  out[7] = minor(device);
  out[8] = static_cast<double>(status.st_ino);
  memcpy(bytes, out, sizeof out);
  return Undefined(env);
}

/// fileTryDirect(handle, bytes, memoryOffset) → whether the first `bytes` (at most 4096) can be read directly into memory
/// that begins so far behind a page's begin
napi_value FileTryDirect(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  uint64_t bytes, memoryOffset;
  if (!args.Handle(0, &handle) || !args.Whole(1, 4096, &bytes) || bytes < 512 || !args.Whole(2, 4096, &memoryOffset))
    return ThrowInvalid(env, "fileTryDirect takes a handle, a length and an offset in memory");
  Borrow borrow;
  const int fd = borrow.TakeFd(handle);
  if (fd < 0) return ThrowUnknown(env);
  void* page = nullptr;
  if (posix_memalign(&page, 4096, 8192)) return Throw(env, ENOMEM, "ENOMEM: no memory for a page");
  // A sector behind the page's begin: aligned to a sector and to nothing more, as a guest's segment may be.
  const ssize_t got = pread(fd, static_cast<uint8_t*>(page) + memoryOffset, bytes, 0);
  free(page);
  return Boolean(env, got == static_cast<ssize_t>(bytes));
}

/// fileLock(handle, exclusive) → whether the lock is ours now; never waits
napi_value FileLock(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  bool exclusive;
  if (!args.Handle(0, &handle) || !args.Flag(1, &exclusive))
    return ThrowInvalid(env, "fileLock takes a handle and a flag");
  Borrow borrow;
  const int fd = borrow.TakeFd(handle);
  if (fd < 0) return ThrowUnknown(env);
  struct flock lock;
  memset(&lock, 0, sizeof lock);
  lock.l_type = exclusive ? F_WRLCK : F_RDLCK;
  lock.l_whence = SEEK_SET;
  if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return Boolean(env, true);
  if (errno == EAGAIN || errno == EACCES) return Boolean(env, false);
  return ThrowErrno(env, "fcntl");
}

/// fileCanDeallocate(handle) → whether holes can be punched into the file: asked for behind its end, where there is nothing
napi_value FileCanDeallocate(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  if (!args.Handle(0, &handle)) return ThrowInvalid(env, "fileCanDeallocate takes a handle");
  Borrow borrow;
  const int fd = borrow.TakeFd(handle);
  if (fd < 0) return ThrowUnknown(env);
  struct stat status;
  if (fstat(fd, &status) < 0) return ThrowErrno(env, "fstat");
  const off_t behind = (status.st_size / 4096 + 1) * 4096;
  return Boolean(env, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, behind, 4096) == 0);
}

/// deviceCanSecureDiscard(handle) → whether a block device can be told to forget for good. A range behind its end is asked
/// for: EINVAL is the word of one that can. Kernels before 5.19 look at the range first; of them nothing is believed.
napi_value DeviceCanSecureDiscard(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  if (!args.Handle(0, &handle)) return ThrowInvalid(env, "deviceCanSecureDiscard takes a handle");
  Borrow borrow;
  const int fd = borrow.TakeFd(handle);
  if (fd < 0) return ThrowUnknown(env);
  struct utsname kernel;
  unsigned major = 0, minor = 0;
  if (uname(&kernel) < 0 || sscanf(kernel.release, "%u.%u", &major, &minor) != 2) return Boolean(env, false);
  if (major < 5 || (major == 5 && minor < 19)) return Boolean(env, false);
  uint64_t size = 0;
  if (ioctl(fd, BLKGETSIZE64, &size) < 0) return Boolean(env, false);
  uint64_t behind[2] = {(size / 4096 + 1) * 4096, 4096};
  return Boolean(env, ioctl(fd, BLKSECDISCARD, behind) < 0 && errno == EINVAL);
}

}  // namespace
}  // namespace xbbd

void InitFile(Napi::Env env, Napi::Object exports) {
  using namespace xbbd;
  Export(env, exports, "fileOpen", FileOpen);
  Export(env, exports, "fileMeasure", FileMeasure);
  Export(env, exports, "fileTryDirect", FileTryDirect);
  Export(env, exports, "fileLock", FileLock);
  Export(env, exports, "fileCanDeallocate", FileCanDeallocate);
  Export(env, exports, "deviceCanSecureDiscard", DeviceCanSecureDiscard);
}
