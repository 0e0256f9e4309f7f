// The table of owners: one per process, whatever the number of Workers. Everything that outlives a Worker
// (descriptors, mappings) is entered here by the supervisor's thread and only borrowed by others.
//
//   handle ─► descriptor                     borrows: pollers, engines
//          └► mapping (address, length)      borrows: each environment's ArrayBuffer, rings, copiers, engines
//
// What must never happen: memory unmapped while anyone can still reach it. Hence an ArrayBuffer is detached before
// its memory goes (a stale access then reads undefined instead of killing the process), and unmapping is refused
// while others borrow. A Worker that dies gives back what it borrowed in its environment's clean-up hook.
#include "owners.h"

#include <fcntl.h>
#include <napi.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mutex>
#include <unordered_map>

#include "calls.h"
#include "parts.h"

namespace xbbd {
namespace {

struct Entry {
  int fd = -1;
  Mapping mapping;
  uint32_t borrows = 0;
  const char* label = "";
  std::function<void()> afterUnmap;

  bool IsMapping() const { return mapping.address != nullptr; }
};

struct Table {
  std::mutex lock;
  std::unordered_map<uint32_t, Entry> entries;
  uint32_t next = 1;
  uint32_t environments = 0;
};

// Never destroyed: at process exit Workers may still run while static objects are torn down.
Table& TheTable() {
  static Table* table = new Table;
  return *table;
}

/// What one environment borrowed for JavaScript's sight: its ArrayBuffers over mappings.
struct Environment {
  napi_env env;
  std::unordered_map<uint32_t, napi_ref> views;
};

uint32_t Enter(Entry entry) {
  Table& table = TheTable();
  std::lock_guard<std::mutex> guard(table.lock);
  const uint32_t handle = table.next++;
  table.entries.emplace(handle, std::move(entry));
  return handle;
}

Entry* FindLocked(Table& table, uint32_t handle, bool mapping) {
  auto found = table.entries.find(handle);
  if (found == table.entries.end() || found->second.IsMapping() != mapping) return nullptr;
  return &found->second;
}

napi_value ThrowUnknown(napi_env env, const char* what) {
  return Throw(env, EBADF, std::string("EBADF: no such ") + what + " in the table of owners");
}

/// Makes this environment's ArrayBuffer over `handle` empty and ends its borrow of the view.
void Detach(Environment* environment, uint32_t handle, napi_ref reference) {
  napi_value buffer = nullptr;
  if (napi_get_reference_value(environment->env, reference, &buffer) == napi_ok && buffer)
    napi_detach_arraybuffer(environment->env, buffer);
  napi_delete_reference(environment->env, reference);
}

napi_value Adopt(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint64_t fd;
  if (!args.Whole(0, 1 << 30, &fd)) return ThrowInvalid(env, "adopt takes a descriptor's number");
  if (fcntl(static_cast<int>(fd), F_GETFD) < 0) return ThrowErrno(env, "fcntl");
  return Unsigned(env, AdoptFd(static_cast<int>(fd), "adopted"));
}

napi_value Close(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  if (!args.Handle(0, &handle)) return ThrowInvalid(env, "close takes a handle");
  Table& table = TheTable();
  int fd;
  {
    std::lock_guard<std::mutex> guard(table.lock);
    Entry* entry = FindLocked(table, handle, false);
    if (!entry) return ThrowUnknown(env, "descriptor");
    if (entry->borrows) return Throw(env, EBUSY, "EBUSY: the descriptor is still polled or used by an engine");
    fd = entry->fd;
    table.entries.erase(handle);
  }
  close(fd);
  return Undefined(env);
}

napi_value Duplicate(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  if (!args.Handle(0, &handle)) return ThrowInvalid(env, "dup takes a handle");
  Borrow borrow;
  const int fd = borrow.TakeFd(handle);
  if (fd < 0) return ThrowUnknown(env, "descriptor");
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return ThrowErrno(env, "fcntl");
  return Unsigned(env, AdoptFd(copy, "duplicate"));
}

napi_value Descriptor(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  const int fd = args.Handle(0, &handle) ? LookupFd(handle) : -1;
  return fd < 0 ? ThrowUnknown(env, "descriptor") : Signed(env, fd);
}

napi_value Map(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  uint64_t length, offset;
  bool writable;
  if (!args.Handle(0, &handle) || !args.Whole(1, 1e15, &length) || !args.Whole(2, 1e15, &offset) ||
      !args.Flag(3, &writable) || length == 0 || offset % 4096)
    return ThrowInvalid(env, "map takes a descriptor's handle, a length above 0, an offset in pages, writable");
  Borrow borrow;
  const int fd = borrow.TakeFd(handle);
  if (fd < 0) return ThrowUnknown(env, "descriptor");
  struct stat status;
  if (fstat(fd, &status) < 0) return ThrowErrno(env, "fstat");
  // Beyond a file's end lies SIGBUS; devices have no size and decide themselves.
  if (S_ISREG(status.st_mode) && offset + length > static_cast<uint64_t>(status.st_size))
    return ThrowInvalid(env, "the mapping would reach beyond the end of the file");
  // SAFETY: a new mapping at an address of the kernel's choice. One that is not writable is private and yet
  // PROT_WRITE: a stray store from JavaScript then changes a private page instead of killing the process.
  void* address = mmap(nullptr, length, PROT_READ | PROT_WRITE, writable ? MAP_SHARED : MAP_PRIVATE, fd,
                       static_cast<off_t>(offset));
  if (address == MAP_FAILED) return ThrowErrno(env, "mmap");
  return Unsigned(env, AdoptMapping({static_cast<uint8_t*>(address), length, writable}, "file"));
}

napi_value MapMemory(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint64_t length;
  if (!args.Whole(0, 1e12, &length) || length == 0) return ThrowInvalid(env, "mapMemory takes a length above 0");
  // SAFETY: anonymous, at an address of the kernel's choice.
  void* address = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) return ThrowErrno(env, "mmap");
  return Unsigned(env, AdoptMapping({static_cast<uint8_t*>(address), length, true}, "memory"));
}

napi_value Populate(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  if (!args.Handle(0, &handle)) return ThrowInvalid(env, "populate takes a mapping's handle");
  Borrow borrow;
  Mapping mapping;
  if (!borrow.TakeMapping(handle, &mapping)) return ThrowUnknown(env, "mapping");
  if (!PopulatePages(mapping.address, mapping.length)) return ThrowErrno(env, "madvise");
  return Undefined(env);
}

napi_value View(napi_env env, napi_callback_info info) {
  Args args(env, info);
  auto* environment = static_cast<Environment*>(args.data);
  uint32_t handle;
  if (!args.Handle(0, &handle)) return ThrowInvalid(env, "view takes a mapping's handle");
  napi_value buffer = nullptr;
  auto known = environment->views.find(handle);
  if (known != environment->views.end()) {
    napi_get_reference_value(env, known->second, &buffer);
    return buffer;
  }
  Mapping mapping;
  if (!BorrowMapping(handle, &mapping)) return ThrowUnknown(env, "mapping");
  // SAFETY: the memory outlives the ArrayBuffer's reach: it is borrowed until giveBack, unmap or the environment's
  // end, and the first two detach the buffer. V8 itself never touches the contents when it frees the buffer.
  const napi_status status = napi_create_external_arraybuffer(
      env, mapping.address, mapping.length, [](napi_env, void*, void*) {}, nullptr, &buffer);
  napi_ref reference;
  if (status != napi_ok || napi_create_reference(env, buffer, 1, &reference) != napi_ok) {
    GiveBack(handle);
    return Throw(env, ENOSYS, "ENOSYS: this JavaScript runtime refuses ArrayBuffers over outside memory");
  }
  environment->views.emplace(handle, reference);
  return buffer;
}

napi_value GiveBackView(napi_env env, napi_callback_info info) {
  Args args(env, info);
  auto* environment = static_cast<Environment*>(args.data);
  uint32_t handle;
  auto known = args.Handle(0, &handle) ? environment->views.find(handle) : environment->views.end();
  if (known == environment->views.end()) return ThrowUnknown(env, "view of this thread");
  const napi_ref reference = known->second;
  environment->views.erase(known);
  Detach(environment, handle, reference);
  GiveBack(handle);
  return Undefined(env);
}

napi_value Unmap(napi_env env, napi_callback_info info) {
  Args args(env, info);
  auto* environment = static_cast<Environment*>(args.data);
  uint32_t handle;
  if (!args.Handle(0, &handle)) return ThrowInvalid(env, "unmap takes a mapping's handle");
  auto own = environment->views.find(handle);
  const bool seen = own != environment->views.end();
  Table& table = TheTable();
  Entry gone;
  {
    // Check and removal under one lock: after it nobody can begin to borrow what is about to be unmapped.
    std::lock_guard<std::mutex> guard(table.lock);
    Entry* entry = FindLocked(table, handle, true);
    if (!entry) return ThrowUnknown(env, "mapping");
    if (entry->borrows > (seen ? 1u : 0u))
      return Throw(env, EBUSY, "EBUSY: the mapping is still used by another thread, a ring or an engine");
    gone = std::move(*entry);
    table.entries.erase(handle);
  }
  if (seen) {
    const napi_ref reference = own->second;
    environment->views.erase(own);
    Detach(environment, handle, reference);
  }
  // SAFETY: this entry's own address and length, with no borrower left and our ArrayBuffer detached.
  munmap(gone.mapping.address, gone.mapping.length);
  if (gone.afterUnmap) gone.afterUnmap();
  return Undefined(env);
}

napi_value Owned(napi_env env, napi_callback_info) {
  Table& table = TheTable();
  std::lock_guard<std::mutex> guard(table.lock);
  napi_value list;
  napi_create_array(env, &list);
  uint32_t index = 0;
  for (const auto& [handle, entry] : table.entries) {
    napi_value item, text;
    napi_create_object(env, &item);
    napi_set_named_property(env, item, "handle", Unsigned(env, handle));
    napi_create_string_utf8(env, entry.IsMapping() ? "mapping" : "descriptor", NAPI_AUTO_LENGTH, &text);
    napi_set_named_property(env, item, "kind", text);
    napi_create_string_utf8(env, entry.label, NAPI_AUTO_LENGTH, &text);
    napi_set_named_property(env, item, "label", text);
    napi_set_named_property(env, item, "bytes", Number(env, static_cast<double>(entry.mapping.length)));
    napi_set_named_property(env, item, "borrows", Unsigned(env, entry.borrows));
    napi_set_element(env, list, index++, item);
  }
  return list;
}

napi_value Environments(napi_env env, napi_callback_info) {
  Table& table = TheTable();
  std::lock_guard<std::mutex> guard(table.lock);
  return Unsigned(env, table.environments);
}

/// The environment is ending and runs no JavaScript any more, so its ArrayBuffers need no detaching: V8 frees them
/// without looking at the memory. The references to them are ours to delete, and the borrows to end.
void EndEnvironment(void* data) {
  auto* environment = static_cast<Environment*>(data);
  for (const auto& [handle, reference] : environment->views) {
    napi_delete_reference(environment->env, reference);
    GiveBack(handle);
  }
  {
    Table& table = TheTable();
    std::lock_guard<std::mutex> guard(table.lock);
    table.environments--;
  }
  delete environment;
}

}  // namespace

uint32_t AdoptFd(int fd, const char* label) {
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  Entry entry;
  entry.fd = fd;
  entry.label = label;
  return Enter(std::move(entry));
}

bool PopulatePages(void* address, size_t length) {
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
  if (madvise(address, length, MADV_POPULATE_WRITE) == 0) return true;
  if (errno != EINVAL) return false;
  // Linux before 5.14. SAFETY: within the mapping; in one indivisible step, which changes nothing.
  auto* bytes = static_cast<uint8_t*>(address);
  for (size_t at = 0; at < length; at += 4096) __atomic_fetch_or(bytes + at, 0, __ATOMIC_RELAXED);
  return true;
}

uint32_t AdoptMapping(const Mapping& mapping, const char* label, std::function<void()> afterUnmap) {
  Entry entry;
  entry.mapping = mapping;
  entry.label = label;
  entry.afterUnmap = std::move(afterUnmap);
  return Enter(std::move(entry));
}

bool LookupMapping(uint32_t handle, Mapping* out) {
  Table& table = TheTable();
  std::lock_guard<std::mutex> guard(table.lock);
  Entry* entry = FindLocked(table, handle, true);
  if (entry) *out = entry->mapping;
  return entry != nullptr;
}

int LookupFd(uint32_t handle) {
  Table& table = TheTable();
  std::lock_guard<std::mutex> guard(table.lock);
  Entry* entry = FindLocked(table, handle, false);
  return entry ? entry->fd : -1;
}

bool BorrowMapping(uint32_t handle, Mapping* out) {
  Table& table = TheTable();
  std::lock_guard<std::mutex> guard(table.lock);
  Entry* entry = FindLocked(table, handle, true);
  if (!entry) return false;
  entry->borrows++;
  *out = entry->mapping;
  return true;
}

int BorrowFd(uint32_t handle) {
  Table& table = TheTable();
  std::lock_guard<std::mutex> guard(table.lock);
  Entry* entry = FindLocked(table, handle, false);
  if (!entry) return -1;
  entry->borrows++;
  return entry->fd;
}

void GiveBack(uint32_t handle) {
  Table& table = TheTable();
  std::lock_guard<std::mutex> guard(table.lock);
  auto found = table.entries.find(handle);
  if (found != table.entries.end() && found->second.borrows > 0) found->second.borrows--;
}

}  // namespace xbbd

void InitOwners(Napi::Env env, Napi::Object exports) {
  using namespace xbbd;
  auto* environment = new Environment{env, {}};
  {
    Table& table = TheTable();
    std::lock_guard<std::mutex> guard(table.lock);
    table.environments++;
  }
  napi_add_env_cleanup_hook(env, EndEnvironment, environment);
  Export(env, exports, "environments", Environments);
  Export(env, exports, "adopt", Adopt);
  Export(env, exports, "closeDescriptor", Close);
  Export(env, exports, "dup", Duplicate);
  Export(env, exports, "descriptorOf", Descriptor);
  Export(env, exports, "map", Map);
  Export(env, exports, "mapMemory", MapMemory);
  Export(env, exports, "populate", Populate);
  Export(env, exports, "view", View, environment);
  Export(env, exports, "giveBack", GiveBackView, environment);
  Export(env, exports, "unmap", Unmap, environment);
  Export(env, exports, "owned", Owned);
}
