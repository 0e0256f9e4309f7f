// The table of owners: one per process, whatever the number of Workers. Everything that outlives a Worker
// (descriptors, mappings, I/O rings) is entered here by the supervisor's thread and only borrowed by others.
#include <napi.h>

#include <atomic>

#include "parts.h"

namespace {
std::atomic<uint32_t> environments{0};
}

void InitOwners(Napi::Env env, Napi::Object exports) {
  environments.fetch_add(1);
  exports.Set("environments", Napi::Function::New(env, [](const Napi::CallbackInfo& info) -> Napi::Value {
    return Napi::Number::New(info.Env(), environments.load());
  }));
}
