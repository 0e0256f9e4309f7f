// A JavaScript runtime of a few hundred lines: as much of Node-API as the harnesses' files use, so that their functions
// are called just as JavaScript calls them, with arguments of any kind and number, and without a Node.
//
//   harness ─ Call("view", {handle}) ─► owners.cc ─ napi_… ─► runtime.cc     hooks at End, as of a Worker that dies
//
// It judges how it is used, too: nothing that can run JavaScript is called while something thrown is pending, who
// throws returns nothing, a reference is deleted once and before its environment has ended, and no call gets a null
// value.
#pragma once
#include <napi.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "fuzz.h"

enum class Kind { kUndefined, kNull, kBoolean, kNumber, kString, kObject, kArray, kFunction, kBuffer, kTyped };

/// A value of JavaScript. It lives as long as its environment.
struct napi_value__ {
  Kind kind = Kind::kUndefined;
  bool flag = false;
  double number = 0;
  std::string text;
  std::map<std::string, napi_value> members;
  std::vector<napi_value> elements;
  /// Of an ArrayBuffer: null once it is detached.
  uint8_t* bytes = nullptr;
  size_t length = 0;
  std::unique_ptr<uint8_t[]> own;
  /// Of a typed array: what it looks at, all of it.
  napi_value buffer = nullptr;
  napi_typedarray_type type = napi_uint8_array;
  napi_callback call = nullptr;
  void* data = nullptr;
  /// Of a function of the caller's own: what it does. It may leave something thrown.
  std::function<void()> script;
};

namespace xbbd_fuzz {

/// How a call ended: with a value, or with the `code` of the error that it threw.
struct Outcome {
  napi_value value = nullptr;
  std::string code;

  bool Returned() const { return code.empty(); }
  uint32_t Number() const { return static_cast<uint32_t>(value->number); }
};

}  // namespace xbbd_fuzz

/// One environment: Node's main thread, or a Worker.
struct napi_env__ {
  using Init = void (*)(Napi::Env, Napi::Object);

  /// The addon is loaded: its parts enter their functions.
  explicit napi_env__(std::initializer_list<Init> parts);
  ~napi_env__() { End(); }

  xbbd_fuzz::Outcome Call(const char* name, const std::vector<napi_value>& args);
  /// The environment ends: its clean-up hooks run, last added first. No call after it. What was asynchronous in them
  /// is still `ending`, until a loop has gone round.
  void End();

  napi_value New(Kind kind);
  napi_value Number(double number);
  napi_value Flag(bool flag);
  napi_value Text(const std::string& text);
  napi_value Function(std::function<void()> script);
  napi_value Array(const std::vector<napi_value>& elements);
  /// A typed array of the kind `type` over `length` bytes of its own.
  napi_value Bytes(size_t length, napi_typedarray_type type = napi_uint8_array);
  /// Whatever a caller in error might pass.
  napi_value Anything(xbbd_fuzz::Input& input);

  /// The so-and-so-manieth request for memory or for a reference is refused; 0: none is.
  uint32_t refuseIn = 0;
  bool Refuses() { return refuseIn > 0 && --refuseIn == 0; }

  napi_value thrown = nullptr;
  /// What was thrown where nobody could catch it.
  uint32_t uncaught = 0;
  std::set<napi_ref> references;
  std::set<napi_async_context> contexts;
  /// Asynchronous clean-up hooks that have begun and are not done.
  uint32_t ending = 0;
  std::vector<std::pair<void (*)(void*), void*>> hooks;

 private:
  std::vector<std::unique_ptr<napi_value__>> values_;
  napi_value exports_;
};

namespace xbbd_fuzz {
using Runtime = napi_env__;
}
