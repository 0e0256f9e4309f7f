// Shared memory and wake-ups between processes of one machine: memfd and eventfd. The embedded host lays its guests'
// memory into memfds; what maps one of another process must be sure that it cannot shrink beneath it, because a
// touched page beyond the end is SIGBUS. The seal is the proof, so it is checked before anything is mapped.
#include <fcntl.h>
#include <napi.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls.h"
#include "owners.h"
#include "parts.h"

namespace xbbd {
namespace {

napi_value ThrowUnknown(napi_env env) { return Throw(env, EBADF, "EBADF: no such descriptor in the table of owners"); }

/// Gives a file its bytes. tmpfs undoes a whole call when a signal comes (Linux 6.1), so it is asked in steps, each tried
/// again: with a profiler's signals one long call might never end. → 0 or an errno.
int AllocateFile(int fd, off_t bytes) {
  constexpr off_t kStep = 1 << 20;
  constexpr int kTries = 1000;
  for (off_t at = 0; at < bytes; at += kStep) {
    int error = EINTR;
    for (int tries = 0; error == EINTR && tries < kTries; tries++)
      error = posix_fallocate(fd, at, bytes - at < kStep ? bytes - at : kStep);
    if (error) return error;
  }
  return 0;
}

/// memfdCreate(name, bytes, sealShrink, sealGrow, allocate) → handle
napi_value MemfdCreate(napi_env env, napi_callback_info info) {
  Args args(env, info);
  std::string name;
  uint64_t bytes;
  bool shrink, grow, allocate;
  if (!args.Text(0, &name) || name.size() > 200 || !args.Whole(1, 1e13, &bytes) || bytes == 0 ||
      !args.Flag(2, &shrink) || !args.Flag(3, &grow) || !args.Flag(4, &allocate))
    return ThrowInvalid(env, "memfdCreate takes a name, a length above 0, and three flags");
  const int fd = memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return ThrowErrno(env, "memfd_create");
  const char* failed = nullptr;
  const auto size = static_cast<off_t>(bytes);
  if (ftruncate(fd, size) < 0) failed = "ftruncate";
  if (!failed && allocate && (errno = AllocateFile(fd, size)) != 0) failed = "posix_fallocate";
  const int seals = (shrink ? F_SEAL_SHRINK : 0) | (grow ? F_SEAL_GROW : 0);
  if (!failed && seals && fcntl(fd, F_ADD_SEALS, seals) < 0) failed = "fcntl";
  if (failed) {
    const int number = errno;
    close(fd);
    errno = number;
    return ThrowErrno(env, failed);
  }
  return Unsigned(env, AdoptFd(fd, "memfd"));
}

/// memfdSize(handle) → bytes; throws EPERM when the memory could shrink.
napi_value MemfdSize(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  if (!args.Handle(0, &handle)) return ThrowInvalid(env, "memfdSize takes a handle");
  Borrow borrow;
  const int fd = borrow.TakeFd(handle);
  if (fd < 0) return ThrowUnknown(env);
  // The seal first, the size second: once sealed the size can only be as large or larger.
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || !(seals & F_SEAL_SHRINK))
    return Throw(env, EPERM, "EPERM: the memory is not sealed against shrinking, whoever maps it could be killed");
  struct stat status;
  if (fstat(fd, &status) < 0) return ThrowErrno(env, "fstat");
  return Number(env, static_cast<double>(status.st_size));
}

/// mapFile(path, bytes) → mapping's handle: the file is made where there is none, has at least these bytes, the disk has
/// given them, and all their pages are there.
napi_value MapFile(napi_env env, napi_callback_info info) {
  Args args(env, info);
  std::string path;
  uint64_t bytes;
  if (!args.Text(0, &path) || !args.Whole(1, 1e15, &bytes) || bytes == 0)
    return ThrowInvalid(env, "mapFile takes a path and a length above 0");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return ThrowErrno(env, "open");
  const auto length = static_cast<off_t>(bytes);
  const char* failed = nullptr;
  struct stat status;
  void* address = MAP_FAILED;
  if (fstat(fd, &status) < 0) failed = "fstat";
  if (!failed && status.st_size != length && (errno = AllocateFile(fd, length)) != 0) failed = "posix_fallocate";
  // SAFETY: a new mapping at an address of the kernel's choice, of a file that is as long.
  if (!failed && (address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED)
    failed = "mmap";
  if (!failed && !PopulatePages(address, bytes)) failed = "madvise";
  const int number = errno;
  if (failed && address != MAP_FAILED) munmap(address, bytes);
  close(fd);
  errno = number;
  if (failed) return ThrowErrno(env, failed);
  return Unsigned(env, AdoptMapping({static_cast<uint8_t*>(address), bytes, true}, "file"));
}

napi_value EventfdCreate(napi_env env, napi_callback_info info) {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return ThrowErrno(env, "eventfd");
  return Unsigned(env, AdoptFd(fd, "eventfd"));
}

/// eventfdWrite(handle): adds one. A full counter is as good as a set one.
napi_value EventfdWrite(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  if (!args.Handle(0, &handle)) return ThrowInvalid(env, "eventfdWrite takes a handle");
  Borrow borrow;
  const int fd = borrow.TakeFd(handle);
  if (fd < 0) return ThrowUnknown(env);
  const uint64_t one = 1;
  if (write(fd, &one, sizeof one) < 0 && errno != EAGAIN) return ThrowErrno(env, "write");
  return Undefined(env);
}

/// eventfdRead(handle) → what was counted since the last read, 0 when nothing.
napi_value EventfdRead(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  if (!args.Handle(0, &handle)) return ThrowInvalid(env, "eventfdRead takes a handle");
  Borrow borrow;
  const int fd = borrow.TakeFd(handle);
  if (fd < 0) return ThrowUnknown(env);
  // A descriptor from elsewhere may block; this thread must not.
  if (!(fcntl(fd, F_GETFL) & O_NONBLOCK)) return ThrowInvalid(env, "the eventfd is a blocking one");
  uint64_t counted = 0;
  const ssize_t got = read(fd, &counted, sizeof counted);
  if (got < 0 && errno == EAGAIN) return Number(env, 0);
  if (got < 0) return ThrowErrno(env, "read");
  return Number(env, static_cast<double>(counted));
}

}  // namespace
}  // namespace xbbd

void InitShm(Napi::Env env, Napi::Object exports) {
  using namespace xbbd;
  Export(env, exports, "memfdCreate", MemfdCreate);
  Export(env, exports, "memfdSize", MemfdSize);
  Export(env, exports, "mapFile", MapFile);
  Export(env, exports, "eventfdCreate", EventfdCreate);
  Export(env, exports, "eventfdWrite", EventfdWrite);
  Export(env, exports, "eventfdRead", EventfdRead);
}
