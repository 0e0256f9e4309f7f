// The table of owners, for the other native files. A handle is a number that is never given twice in a process;
// 0 is no handle. Whoever keeps an address or a descriptor longer than one call borrows it, and gives it back when
// its thing is closed or its environment ends: until then `unmap` and `close` are refused with EBUSY. So nothing
// that JavaScript does in the wrong order can leave a ring or an engine with memory that is gone.
// All of these may be called from any thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>

namespace xbbd {

struct Mapping {
  uint8_t* address = nullptr;
  size_t length = 0;
  /// Stores reach the file or the guest; otherwise the mapping is private (copy on write).
  bool writable = false;
};

/// Takes ownership of a descriptor; `label` (a literal) is shown by owned(). Sets close-on-exec.
uint32_t AdoptFd(int fd, const char* label);

/// Takes ownership of mapped memory. `afterUnmap` runs after munmap, on the thread that unmapped (gntdev needs it).
uint32_t AdoptMapping(const Mapping& mapping, const char* label, std::function<void()> afterUnmap = nullptr);

/// The mapping at this moment; good only for a check, or on the thread that alone unmaps.
bool LookupMapping(uint32_t handle, Mapping* out);

/// The descriptor at this moment or -1; good only on the thread that alone closes.
int LookupFd(uint32_t handle);

/// Finds and pins. False when there is no such mapping.
bool BorrowMapping(uint32_t handle, Mapping* out);
/// Finds and pins. The descriptor, or -1.
int BorrowFd(uint32_t handle);
/// Ends one borrow of a mapping or of a descriptor.
void GiveBack(uint32_t handle);

/// One borrow that ends with its scope or its owner's.
/// Has every page there, writable, and changes none: no page fault is left for the data path, and a lack of memory
/// shows here. → false with errno. Others may be writing in them.
bool PopulatePages(void* address, size_t length);

class Borrow {
 public:
  Borrow() = default;
  Borrow(const Borrow&) = delete;
  Borrow& operator=(const Borrow&) = delete;
  ~Borrow() { Reset(); }

  bool TakeMapping(uint32_t handle, Mapping* out) {
    Reset();
    if (!BorrowMapping(handle, out)) return false;
    handle_ = handle;
    return true;
  }
  int TakeFd(uint32_t handle) {
    Reset();
    const int fd = BorrowFd(handle);
    if (fd >= 0) handle_ = handle;
    return fd;
  }
  void Reset() {
    if (handle_) GiveBack(handle_);
    handle_ = 0;
  }

 private:
  uint32_t handle_ = 0;
};

}  // namespace xbbd
