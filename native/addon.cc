// The addon's table of contents. Each facility of the operating system lives in a file of its own and registers
// its functions here; nothing in native/ knows a policy or decides anything about the protocol.
// Every Worker loads the addon anew (one instance per environment); what must be one per process stands in
// owners.cc alone.
#include <napi.h>

#include "parts.h"

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  InitOwners(env, exports);
  InitShm(env, exports);
  InitSocket(env, exports);
  InitNotify(env, exports);
  InitRing(env, exports);
  InitPoller(env, exports);
  InitEmbedded(env, exports);
  InitClock(env, exports);
  InitPages(env, exports);
  InitGntdev(env, exports);
  InitEvtchn(env, exports);
  InitTimer(env, exports);
  InitStream(env, exports);
  InitEngine(env, exports);
  InitFile(env, exports);
  InitFrontLoad(env, exports);
  return exports;
}

NODE_API_MODULE(xbbd, Init)
