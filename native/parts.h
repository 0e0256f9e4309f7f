// One Init per native file; addon.cc calls them.
#pragma once
#include <napi.h>

void InitOwners(Napi::Env env, Napi::Object exports);
