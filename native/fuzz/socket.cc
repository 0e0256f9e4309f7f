// Messages between two processes (socket.cc), of which one keeps no rule: it sends what is empty, too long, or full of
// descriptors, stops in the middle and leaves. A model of both directions says what must arrive: each message that was
// sent, whole, once and in order, with its very descriptors, close-on-exec; what is too large is refused; and whatever
// happens, no descriptor is left open in the end.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <deque>

#include "../owners.h"
#include "../parts.h"
#include "runtime.h"

using namespace xbbd_fuzz;

namespace {

constexpr size_t kMostBytes = 65536, kMostDescriptors = 16, kMostWaiting = 24;
constexpr uint32_t kFiles = 4;

/// A directory for sockets, as long as this process lives.
class Scratch {
 public:
  Scratch() { Require(mkdtemp(path_) != nullptr, "there is a place for sockets"); }
  ~Scratch() { rmdir(path_); }
  std::string operator/(const std::string& name) const { return std::string(path_) + "/" + name; }

 private:
  char path_[32] = "/tmp/xbbd-fuzz-XXXXXX";
};

size_t OpenDescriptors() {
  DIR* directory = opendir("/proc/self/fd");
  size_t count = 0;
  while (readdir(directory)) count++;
  closedir(directory);
  return count;
}

ino_t FileOf(int fd) {
  struct stat status;
  Require(fstat(fd, &status) == 0, "a descriptor is open");
  return status.st_ino;
}

struct Message {
  std::vector<uint8_t> bytes;
  /// The files behind its descriptors.
  std::vector<ino_t> files;

  bool TooLarge() const { return bytes.size() > kMostBytes || files.size() > kMostDescriptors; }
};

/// One end of the connection, and what is on its way to it.
struct End {
  uint32_t handle = 0;
  bool open = true;
  std::deque<Message> coming;
};

class World {
 public:
  World(Input& input, const Scratch& scratch) : input_(input), scratch_(scratch), path_(scratch / "s") {
    listener_ = js_.Call("socketListen", {js_.Text(path_), js_.Number(0600)}).Number();
    Require(js_.Call("socketAccept", {js_.Number(listener_)}).Number() == 0, "nobody waits yet");
    ends_[0].handle = js_.Call("socketConnect", {js_.Text(path_)}).Number();
    ends_[1].handle = js_.Call("socketAccept", {js_.Number(listener_)}).Number();
    Require(listener_ && ends_[0].handle && ends_[1].handle, "a connection is made");
    for (uint32_t& file : files_) file = xbbd::AdoptFd(memfd_create("fuzz", 0), "fuzz");
  }

  void Step() {
    const uint32_t end = input_.Below(2);
    switch (input_.Below(10)) {
      case 0:
      case 1: return Send(end);
      case 2:
      case 3: return SendRaw(end);
      case 4:
      case 5:
      case 6: return Receive(end);
      case 7: return Listen();
      case 8: return Nonsense();
      default:
        if (input_.Below(4) == 0)
          Leave(end);
    }
  }

  void End() {
    for (uint32_t end : {0u, 1u}) {
      while (ends_[end].open && !ends_[end].coming.empty()) Receive(end);
      Leave(end);
    }
    for (uint32_t file : files_) Close(file);
    Close(listener_);
    unlink(path_.c_str());
    Require(js_.Call("owned", {}).value->elements.empty(), "nothing is left in the table");
  }

 private:
  void Close(uint32_t handle) {
    Require(js_.Call("closeDescriptor", {js_.Number(handle)}).Returned(), "what is open can be closed");
  }

  void Leave(uint32_t end) {
    if (!ends_[end].open)
      return;
    ends_[end].open = false;
    Close(ends_[end].handle);
  }

  Message Draw(size_t length, uint32_t descriptors) {
    Message message;
    message.bytes.resize(length, static_cast<uint8_t>(input_.Take<uint8_t>()));
    input_.Fill(message.bytes.data(), std::min<size_t>(length, input_.Below(16)));
    while (descriptors-- > 0) message.files.push_back(FileOf(xbbd::LookupFd(files_[input_.Below(kFiles)])));
    return message;
  }

  size_t Length() {
    static constexpr size_t kLengths[] = {0, 1, 7, 100, 4096, kMostBytes - 1, kMostBytes, kMostBytes + 1, 100000};
    return kLengths[input_.Below(sizeof kLengths / sizeof kLengths[0])];
  }

  /// By the rules, or asking for what they do not allow.
  void Send(uint32_t end) {
    if (!ends_[end].open || ends_[1 - end].coming.size() >= kMostWaiting)
      return;
    const Message message = Draw(Length(), input_.Below(input_.Below(4) ? 3 : 20));
    napi_value bytes = js_.Bytes(message.bytes.size());
    std::copy(message.bytes.begin(), message.bytes.end(), bytes->buffer->bytes);
    std::vector<napi_value> handles;
    for (ino_t file : message.files)
      for (uint32_t own : files_)
        if (FileOf(xbbd::LookupFd(own)) == file)
          handles.push_back(js_.Number(own));
    const bool unknown = !handles.empty() && input_.Below(8) == 0;
    if (unknown)
      handles.back() = input_.Below(2) ? js_.Number(1 << 30) : js_.New(Kind::kObject);
    const Outcome outcome = js_.Call("socketSend", {js_.Number(ends_[end].handle), bytes, js_.Array(handles)});
    if (message.bytes.empty() || message.TooLarge() || unknown)
      return Require(outcome.code == "EINVAL", "such a message is refused");
    if (!ends_[1 - end].open)
      return Require(!outcome.Returned(), "nothing is sent to who has left");
    Require(outcome.Returned(), "what is allowed is sent, or has to wait");
    if (outcome.value->flag)
      ends_[1 - end].coming.push_back(message);
  }

  /// As a stranger, who is bound by the kernel alone.
  void SendRaw(uint32_t end) {
    if (!ends_[end].open || ends_[1 - end].coming.size() >= kMostWaiting)
      return;
    Message message = Draw(Length(), input_.Below(4) ? input_.Below(4) : input_.Below(200));
    std::vector<int> fds;
    for (ino_t file : message.files)
      for (uint32_t own : files_)
        if (FileOf(xbbd::LookupFd(own)) == file)
          fds.push_back(xbbd::LookupFd(own));
    std::vector<uint8_t> control(CMSG_SPACE(sizeof(int) * fds.size()));
    iovec part = {message.bytes.data(), message.bytes.size()};
    msghdr header = {};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (!fds.empty()) {
      header.msg_control = control.data();
      header.msg_controllen = control.size();
      cmsghdr* rights = CMSG_FIRSTHDR(&header);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
      memcpy(CMSG_DATA(rights), fds.data(), sizeof(int) * fds.size());
    }
    const ssize_t sent = sendmsg(xbbd::LookupFd(ends_[end].handle), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0)
      ends_[1 - end].coming.push_back(std::move(message));
  }

  void Receive(uint32_t end) {
    auto& [handle, open, coming] = ends_[end];
    if (!open)
      return;
    js_.refuseIn = input_.Below(8) == 7;
    const bool refused = js_.refuseIn > 0;
    const Outcome outcome = js_.Call("socketReceive", {js_.Number(handle)});
    js_.refuseIn = 0;
    if (coming.empty()) {
      const Kind kind = ends_[1 - end].open ? Kind::kUndefined : Kind::kNull;
      return Require(outcome.Returned() && outcome.value->kind == kind,
                     "nothing comes of nothing, and the end is an end");
    }
    const Message message = coming.front();
    coming.pop_front();
    // Of a message without bytes nobody can tell whether it is the end.
    if (message.bytes.empty() && message.files.size() <= kMostDescriptors)
      return Require(outcome.Returned() && outcome.value->kind == Kind::kNull, "an empty message is the end");
    if (message.bytes.empty())
      return Require(!outcome.Returned() || outcome.value->kind == Kind::kNull, "the same, or too large");
    if (message.TooLarge())
      return Require(outcome.code == "EMSGSIZE", "what is cut short is refused");
    if (refused)
      return Require(outcome.code == "ENOMEM", "a lack of memory is said");
    Require(outcome.Returned() && outcome.value->kind == Kind::kObject, "what was sent arrives");
    napi_value bytes = outcome.value->members.at("bytes");
    Require(std::vector<uint8_t>(bytes->bytes, bytes->bytes + bytes->length) == message.bytes,
            "it arrives as it was sent");
    const auto& handles = outcome.value->members.at("handles")->elements;
    Require(handles.size() == message.files.size(), "with as many descriptors");
    for (size_t i = 0; i < handles.size(); i++) {
      const auto received = static_cast<uint32_t>(handles[i]->number);
      const int fd = xbbd::LookupFd(received);
      Require(FileOf(fd) == message.files[i], "of the same files");
      Require(fcntl(fd, F_GETFD) == FD_CLOEXEC, "that no child inherits");
      Close(received);
    }
  }

  void Listen() {
    const uint32_t kind = input_.Below(5);
    const std::string path = kind == 0   ? path_
                             : kind == 1 ? scratch_ / std::string(input_.Below(200), 'x')
                             : kind == 2 ? ""
                             : kind == 3 ? scratch_ / "no/t"
                                         : scratch_ / "t";
    const uint32_t mode = input_.Below(01001);
    const Outcome outcome = js_.Call("socketListen", {js_.Text(path), js_.Number(mode)});
    const char* code = mode > 0777                         ? "EINVAL"
                       : path.empty() || path.size() > 107 ? "ENAMETOOLONG"
                       : kind == 3                         ? "ENOENT"
                                                           : "";
    const bool there = kind == 0 || path == scratch_ / "";
    if (there && !*code)
      code = "EADDRINUSE";
    Require(outcome.code == code, "a listener is made where none can be hurt");
    if (!outcome.Returned())
      return;
    struct stat status;
    Require(stat(path.c_str(), &status) == 0 && (status.st_mode & 0777) == mode, "it is as open as was asked for");
    Close(outcome.Number());
    unlink(path.c_str());
  }

  /// No argument of any kind does anything but throw, or move what it names.
  void Nonsense() {
    static constexpr const char* kNames[] = {"socketListen", "socketAccept", "socketConnect", "socketSend",
                                             "socketReceive"};
    std::vector<napi_value> args;
    for (uint32_t count = input_.Below(5); count > 0; count--) args.push_back(js_.Anything(input_));
    // A number might be a handle, and a text a path.
    if (!args.empty() && (args[0]->kind == Kind::kNumber || args[0]->kind == Kind::kString))
      args[0] = js_.Number(input_.Below(2) ? -1 : 1e9);
    const Outcome outcome = js_.Call(kNames[input_.Below(5)], args);
    Require(outcome.code == "EINVAL" || outcome.code == "EBADF", "nonsense is refused");
  }

  Input& input_;
  const Scratch& scratch_;
  const std::string path_;
  Runtime js_{InitOwners, InitSocket};
  uint32_t listener_ = 0;
  struct End ends_[2];
  uint32_t files_[kFiles];
};

}  // namespace

void xbbd_fuzz::Run(Input& input) {
  static const Scratch scratch;
  const size_t before = OpenDescriptors();
  {
    World world(input, scratch);
    for (int step = 0; step < 100 && !input.Ended(); step++) world.Step();
    world.End();
  }
  Require(OpenDescriptors() == before, "no descriptor is left open");
}
