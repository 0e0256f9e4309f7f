// What every harness needs: numbers and bytes drawn from the fuzzer's input, and a way to fail. A harness is one
// function, Run; main.cc opens each input for it.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace xbbd_fuzz {

/// Draws from the input until it ends; then zeroes.
class Input {
 public:
  Input(const uint8_t* bytes, size_t length) : bytes_(bytes), left_(length) {}

  bool Ended() const { return left_ == 0; }
  size_t Left() const { return left_; }
  void Fill(void* to, size_t length) {
    if (length == 0) return;
    const size_t have = length < left_ ? length : left_;
    if (have > 0) memcpy(to, bytes_, have);
    memset(static_cast<uint8_t*>(to) + have, 0, length - have);
    bytes_ += have;
    left_ -= have;
  }
  template <typename Number>
  Number Take() {
    Number number;
    Fill(&number, sizeof number);
    return number;
  }
  /// 0 ≤ result < limit.
  uint32_t Below(uint32_t limit) { return Take<uint16_t>() % limit; }

 private:
  const uint8_t* bytes_;
  size_t left_;
};

/// One run over one input; every harness defines it.
void Run(Input& input);

inline void Require(bool holds, const char* what) {
  if (holds) return;
  fprintf(stderr, "broken: %s\n", what);
  abort();
}

/// Memory of just so many bytes, aligned to a page, so that the sanitizer sees who goes beyond its end.
class Block {
 public:
  explicit Block(size_t bytes) : bytes_(bytes), at_(static_cast<uint8_t*>(aligned_alloc(4096, bytes))) { memset(at_, 0, bytes); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block() { free(at_); }
  uint8_t* at() const { return at_; }
  size_t bytes() const { return bytes_; }

 private:
  size_t bytes_;
  uint8_t* at_;
};

}  // namespace xbbd_fuzz
