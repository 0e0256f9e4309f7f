// A stream of bytes behind a descriptor (stream.cc), over a FIFO that its other end fills and empties as it likes: what
// is read is what was written, in order; nothing waits; what is no stream, no bytes or no handle throws, and moves
// nothing.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "../owners.h"
#include "../parts.h"
#include "runtime.h"

using namespace xbbd_fuzz;

namespace {

/// A FIFO without a name: opened by /proc, it is a stream like any other.
class Pipe {
 public:
  Pipe() {
    int ends[2];
    Require(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0, "there is a pipe");
    read_ = ends[0], write_ = ends[1];
  }
  ~Pipe() {
    close(read_);
    close(write_);
  }
  std::string Path() const { return "/proc/self/fd/" + std::to_string(read_); }
  /// The other end.
  int Read() const { return read_; }
  int Write() const { return write_; }

 private:
  int read_, write_;
};

class World {
 public:
  explicit World(Input& input) : input_(input) {
    stream_ = js_.Call("streamOpen", {js_.Text(pipe_.Path())}).Number();
    counter_ = xbbd::AdoptFd(eventfd(0, EFD_NONBLOCK), "fuzz");
    memory_ = js_.Call("mapMemory", {js_.Number(4096)}).Number();
    Require(fcntl(xbbd::LookupFd(stream_), F_GETFD) == FD_CLOEXEC, "no child inherits a stream");
  }

  void Step() {
    switch (input_.Below(6)) {
      case 0: return Write();
      case 1: return Read(Bytes());
      case 2: return FillOutside();
      case 3: return EmptyOutside();
      case 4: return Open();
      default: return Nonsense();
    }
  }

  void End() {
    while (!waiting_.empty()) Read(js_.Bytes(1 << 17));
    Read(js_.Bytes(8));
    for (uint32_t handle : {stream_, counter_})
      Require(js_.Call("closeDescriptor", {js_.Number(handle)}).Returned(), "it closes");
    js_.Call("unmap", {js_.Number(memory_)});
    Require(js_.Call("owned", {}).value->elements.empty(), "nothing is left in the table");
  }

 private:
  /// A typed array of any kind, of bytes from the input; the longest is longer than a pipe.
  napi_value Bytes() {
    static constexpr uint32_t kMost[] = {1, 20, 300, 9000};
    const uint32_t length = kMost[input_.Below(4)];
    napi_value bytes = js_.Bytes(8 * (1 + input_.Below(length)), static_cast<napi_typedarray_type>(input_.Below(11)));
    input_.Fill(bytes->buffer->bytes, std::min<size_t>(bytes->buffer->length, input_.Below(32)));
    return bytes;
  }

  void Arrive(const uint8_t* bytes, size_t length) { waiting_.insert(waiting_.end(), bytes, bytes + length); }

  void Leave(const uint8_t* bytes, size_t length) {
    Require(length <= waiting_.size(), "nothing is read that was not written");
    Require(std::equal(bytes, bytes + length, waiting_.begin()), "what is read is what was written");
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(length));
  }

  void Write() {
    napi_value bytes = Bytes();
    const Outcome outcome = js_.Call("streamWrite", {js_.Number(stream_), bytes});
    Require(outcome.Returned(), "a stream that is full is no error");
    const double moved = outcome.value->number;
    Require(moved == -1 || (moved > 0 && moved <= static_cast<double>(bytes->buffer->length)),
            "no more is moved than there was");
    if (moved > 0)
      Arrive(bytes->buffer->bytes, static_cast<size_t>(moved));
  }

  void Read(napi_value bytes) {
    const Outcome outcome = js_.Call("streamRead", {js_.Number(stream_), bytes});
    Require(outcome.Returned(), "a stream that is empty is no error");
    const double moved = outcome.value->number;
    Require(moved == -1 ? waiting_.empty() : moved > 0 && moved <= static_cast<double>(bytes->buffer->length),
            "what waits is read");
    if (moved > 0)
      Leave(bytes->buffer->bytes, static_cast<size_t>(moved));
  }

  void FillOutside() {
    napi_value bytes = Bytes();
    const ssize_t moved = write(pipe_.Write(), bytes->buffer->bytes, bytes->buffer->length);
    if (moved > 0)
      Arrive(bytes->buffer->bytes, static_cast<size_t>(moved));
  }

  void EmptyOutside() {
    napi_value bytes = Bytes();
    const ssize_t moved = read(pipe_.Read(), bytes->buffer->bytes, bytes->buffer->length);
    if (moved > 0)
      Leave(bytes->buffer->bytes, static_cast<size_t>(moved));
  }

  void Open() {
    static const std::pair<std::string, const char*> kPaths[] = {
        {"", "EINVAL"},
        {"/nowhere/xbbd-fuzz", "ENOENT"},
        {"/", "EISDIR"},
        {"/proc/self/fd/999999", "ENOENT"},
        {std::string("/dev/null\0x", 11), "EINVAL"},
        {std::string(5000, 'x'), "EINVAL"},
        {std::string(300, 'x'), "ENAMETOOLONG"},
        {"/dev/null", ""},
    };
    const auto& [path, code] = kPaths[input_.Below(8)];
    const Outcome outcome = js_.Call("streamOpen", {js_.Text(path)});
    Require(outcome.code == code, "what cannot be opened says why");
    if (outcome.Returned())
      js_.Call("closeDescriptor", {js_.Number(outcome.Number())});
  }

  /// What is no stream of bytes, or no bytes.
  void Nonsense() {
    const char* name = input_.Below(2) ? "streamRead" : "streamWrite";
    const uint32_t kind = input_.Below(5);
    if (kind == 0)
      return Require(js_.Call(name, {js_.Number(memory_), js_.Bytes(8)}).code == "EBADF", "a mapping is no stream");
    if (kind == 1)
      return Require(js_.Call(name, {js_.Number(counter_), js_.Bytes(1 + input_.Below(7))}).code == "EINVAL",
                     "the kernel's refusal is said");
    if (kind == 2)
      return Require(js_.Call(name, {js_.Number(stream_), js_.Bytes(0)}).code == "EINVAL", "nothing cannot be moved");
    std::vector<napi_value> args;
    for (uint32_t count = input_.Below(12); count > 0; count--) args.push_back(js_.Anything(input_));
    if (!args.empty() && args[0]->kind == Kind::kNumber)
      args[0] = js_.Number(-1);
    Require(js_.Call(name, args).code == "EINVAL", "nonsense is refused");
    if (kind == 3)
      Require(js_.Call("streamOpen", args.empty() || args[0]->kind != Kind::kString ? args : std::vector<napi_value>())
                      .code == "EINVAL",
              "nonsense is refused");
  }

  Input& input_;
  const Pipe pipe_;
  Runtime js_{InitOwners, InitStream};
  uint32_t stream_ = 0, counter_ = 0, memory_ = 0;
  /// Written and not read.
  std::vector<uint8_t> waiting_;
};

}  // namespace

void xbbd_fuzz::Run(Input& input) {
  World world(input);
  for (int step = 0; step < 100 && !input.Ended(); step++) world.Step();
  world.End();
}
