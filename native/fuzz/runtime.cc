// Node-API over runtime.h. Each function does what Node's documentation says of it, as far as the addon can tell.
#include "runtime.h"

#include <cmath>

using xbbd_fuzz::Input;
using xbbd_fuzz::Outcome;
using xbbd_fuzz::Require;

struct napi_ref__ {
  napi_value value;
};

struct napi_async_context__ {};

struct napi_async_cleanup_hook_handle__ {
  napi_env env;
  napi_async_cleanup_hook run;
  void* data;
};

struct napi_callback_info__ {
  const std::vector<napi_value>& args;
  void* data;
};

namespace {

constexpr size_t kElement[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};

/// For every call that Node refuses while an error is on its way.
void RequireNothingThrown(napi_env env) {
  Require(env->thrown == nullptr, "nothing runs while something thrown is pending");
}

napi_status Give(napi_value value, napi_value* result) {
  *result = value;
  return napi_ok;
}

}  // namespace

napi_env__::napi_env__(std::initializer_list<Init> parts) : exports_(New(Kind::kObject)) {
  for (Init init : parts) init(Napi::Env(this), Napi::Object(this, exports_));
}

napi_value napi_env__::New(Kind kind) {
  values_.push_back(std::make_unique<napi_value__>());
  values_.back()->kind = kind;
  return values_.back().get();
}

napi_value napi_env__::Number(double number) {
  napi_value value = New(Kind::kNumber);
  value->number = number;
  return value;
}

napi_value napi_env__::Flag(bool flag) {
  napi_value value = New(Kind::kBoolean);
  value->flag = flag;
  return value;
}

napi_value napi_env__::Text(const std::string& text) {
  napi_value value = New(Kind::kString);
  value->text = text;
  return value;
}

napi_value napi_env__::Function(std::function<void()> script) {
  napi_value value = New(Kind::kFunction);
  value->script = std::move(script);
  return value;
}

napi_value napi_env__::Array(const std::vector<napi_value>& elements) {
  napi_value value = New(Kind::kArray);
  value->elements = elements;
  return value;
}

napi_value napi_env__::Bytes(size_t length, napi_typedarray_type type) {
  napi_value buffer = New(Kind::kBuffer), value = New(Kind::kTyped);
  buffer->length = length;
  buffer->own = std::make_unique<uint8_t[]>(length);
  buffer->bytes = buffer->own.get();
  value->buffer = buffer;
  value->type = type;
  return value;
}

napi_value napi_env__::Anything(Input& input) {
  static constexpr double kOdd[] = {-1,    0.5, 4294967295.0, 4294967296.0, 1e15,
                                    1e300, NAN, INFINITY,     -0.0,         2147483648.0};
  switch (input.Below(10)) {
    case 0: return New(Kind::kNull);
    case 1: return Flag(input.Below(2));
    case 2: return Number(input.Take<uint32_t>());
    case 3: return Number(kOdd[input.Below(sizeof kOdd / sizeof kOdd[0])]);
    case 4: return Text(std::string(input.Below(2) ? 5000 : 3, static_cast<char>(input.Below(3))));
    case 5: return New(Kind::kObject);
    case 6: return Array({Number(input.Below(100)), New(Kind::kUndefined)});
    case 7: return Array(std::vector<napi_value>(input.Below(40), Number(1)));
    case 8: return Bytes(8 * input.Below(4), static_cast<napi_typedarray_type>(input.Below(11)));
    default: return New(Kind::kUndefined);
  }
}

Outcome napi_env__::Call(const char* name, const std::vector<napi_value>& args) {
  const auto found = exports_->members.find(name);
  Require(found != exports_->members.end(), name);
  napi_callback_info__ info{args, found->second->data};
  napi_value value = found->second->call(this, &info);
  Outcome outcome;
  if (thrown) {
    Require(value == nullptr, "who throws returns nothing");
    outcome.code = thrown->members.at("code")->text;
    Require(outcome.code.size() > 1 && thrown->members.count("errno") == 1,
            "what is thrown says its code and its number");
    thrown = nullptr;
  } else {
    outcome.value = value ? value : New(Kind::kUndefined);
  }
  return outcome;
}

void napi_env__::End() {
  while (!hooks.empty()) {
    const auto [run, data] = hooks.back();
    hooks.pop_back();
    run(data);
  }
  Require(references.empty(), "no reference is left when its environment has ended");
  Require(contexts.empty(), "no asynchronous context is left when its environment has ended");
}

extern "C" {

napi_status napi_get_cb_info(napi_env env, napi_callback_info info, size_t* count, napi_value* values, napi_value*,
                             void** data) {
  const size_t room = *count;
  for (size_t i = 0; i < room; i++) values[i] = i < info->args.size() ? info->args[i] : env->New(Kind::kUndefined);
  *count = info->args.size();
  *data = info->data;
  return napi_ok;
}

napi_status napi_get_undefined(napi_env env, napi_value* result) { return Give(env->New(Kind::kUndefined), result); }
napi_status napi_get_null(napi_env env, napi_value* result) { return Give(env->New(Kind::kNull), result); }
napi_status napi_get_boolean(napi_env env, bool flag, napi_value* result) { return Give(env->Flag(flag), result); }
napi_status napi_create_double(napi_env env, double value, napi_value* result) {
  return Give(env->Number(value), result);
}
napi_status napi_create_int32(napi_env env, int32_t value, napi_value* result) {
  return Give(env->Number(value), result);
}
napi_status napi_create_uint32(napi_env env, uint32_t value, napi_value* result) {
  return Give(env->Number(value), result);
}
napi_status napi_create_object(napi_env env, napi_value* result) { return Give(env->New(Kind::kObject), result); }
napi_status napi_create_array(napi_env env, napi_value* result) { return Give(env->Array({}), result); }

napi_status napi_create_array_with_length(napi_env env, size_t length, napi_value* result) {
  return Give(env->Array(std::vector<napi_value>(length, env->New(Kind::kUndefined))), result);
}

napi_status napi_create_string_utf8(napi_env env, const char* text, size_t length, napi_value* result) {
  return Give(env->Text(length == NAPI_AUTO_LENGTH ? std::string(text) : std::string(text, length)), result);
}

napi_status napi_create_error(napi_env env, napi_value code, napi_value text, napi_value* result) {
  if (code->kind != Kind::kString || text->kind != Kind::kString) return napi_string_expected;
  napi_value error = env->New(Kind::kObject);
  error->members = {{"code", code}, {"message", text}};
  return Give(error, result);
}

napi_status napi_throw(napi_env env, napi_value error) {
  RequireNothingThrown(env);
  env->thrown = error;
  return napi_ok;
}

napi_status napi_create_function(napi_env env, const char*, size_t, napi_callback call, void* data,
                                 napi_value* result) {
  RequireNothingThrown(env);
  napi_value function = env->New(Kind::kFunction);
  function->call = call;
  function->data = data;
  return Give(function, result);
}

napi_status napi_set_named_property(napi_env env, napi_value object, const char* name, napi_value value) {
  RequireNothingThrown(env);
  Require(object && value, "no call gets a null value");
  object->members[name] = value;
  return napi_ok;
}

napi_status napi_set_element(napi_env env, napi_value array, uint32_t index, napi_value value) {
  RequireNothingThrown(env);
  Require(array && value, "no call gets a null value");
  if (index >= array->elements.size()) array->elements.resize(index + 1, env->New(Kind::kUndefined));
  array->elements[index] = value;
  return napi_ok;
}

napi_status napi_get_element(napi_env env, napi_value array, uint32_t index, napi_value* result) {
  RequireNothingThrown(env);
  return Give(index < array->elements.size() ? array->elements[index] : env->New(Kind::kUndefined), result);
}

napi_status napi_get_array_length(napi_env, napi_value value, uint32_t* result) {
  if (!value) return napi_invalid_arg;
  if (value->kind != Kind::kArray) return napi_array_expected;
  *result = static_cast<uint32_t>(value->elements.size());
  return napi_ok;
}

napi_status napi_get_value_double(napi_env, napi_value value, double* result) {
  if (!value) return napi_invalid_arg;
  if (value->kind != Kind::kNumber) return napi_number_expected;
  *result = value->number;
  return napi_ok;
}

napi_status napi_get_value_uint32(napi_env, napi_value value, uint32_t* result) {
  if (!value) return napi_invalid_arg;
  if (value->kind != Kind::kNumber) return napi_number_expected;
  const double rest = std::isfinite(value->number) ? std::fmod(std::trunc(value->number), 4294967296.0) : 0;
  *result = static_cast<uint32_t>(static_cast<int64_t>(rest));
  return napi_ok;
}

napi_status napi_get_value_bool(napi_env, napi_value value, bool* result) {
  if (!value) return napi_invalid_arg;
  if (value->kind != Kind::kBoolean) return napi_boolean_expected;
  *result = value->flag;
  return napi_ok;
}

napi_status napi_get_value_string_utf8(napi_env, napi_value value, char* to, size_t room, size_t* result) {
  if (!value) return napi_invalid_arg;
  if (value->kind != Kind::kString) return napi_string_expected;
  const size_t length = std::min(room - 1, value->text.size());
  memcpy(to, value->text.data(), length);
  to[length] = 0;
  *result = length;
  return napi_ok;
}

napi_status napi_get_typedarray_info(napi_env, napi_value value, napi_typedarray_type* type, size_t* length,
                                     void** data, napi_value*, size_t*) {
  if (!value || value->kind != Kind::kTyped) return napi_invalid_arg;
  *type = value->type;
  *length = value->buffer->length / kElement[value->type];
  *data = value->buffer->bytes;
  return napi_ok;
}

napi_status napi_create_arraybuffer(napi_env env, size_t length, void** data, napi_value* result) {
  RequireNothingThrown(env);
  if (env->Refuses()) return napi_generic_failure;
  napi_value typed = env->Bytes(length);
  *data = typed->buffer->bytes;
  return Give(typed->buffer, result);
}

napi_status napi_create_external_arraybuffer(napi_env env, void* data, size_t length, napi_finalize, void*,
                                             napi_value* result) {
  RequireNothingThrown(env);
  if (env->Refuses()) return napi_no_external_buffers_allowed;
  napi_value buffer = env->New(Kind::kBuffer);
  buffer->bytes = static_cast<uint8_t*>(data);
  buffer->length = length;
  return Give(buffer, result);
}

napi_status napi_detach_arraybuffer(napi_env, napi_value buffer) {
  if (!buffer || buffer->kind != Kind::kBuffer) return napi_arraybuffer_expected;
  buffer->bytes = nullptr;
  buffer->length = 0;
  return napi_ok;
}

napi_status napi_create_reference(napi_env env, napi_value value, uint32_t, napi_ref* result) {
  if (!value || env->Refuses()) return napi_generic_failure;
  *result = new napi_ref__{value};
  env->references.insert(*result);
  return napi_ok;
}

napi_status napi_get_reference_value(napi_env env, napi_ref reference, napi_value* result) {
  Require(env->references.count(reference) == 1, "only a reference that was made, and is not deleted, is asked");
  return Give(reference->value, result);
}

napi_status napi_delete_reference(napi_env env, napi_ref reference) {
  if (!reference) return napi_invalid_arg;
  Require(env->references.erase(reference) == 1, "a reference is deleted once");
  delete reference;
  return napi_ok;
}

napi_status napi_add_env_cleanup_hook(napi_env env, void (*run)(void*), void* data) {
  env->hooks.emplace_back(run, data);
  return napi_ok;
}

napi_status napi_typeof(napi_env, napi_value value, napi_valuetype* result) {
  if (!value) return napi_invalid_arg;
  *result = value->kind == Kind::kFunction ? napi_function : napi_object;
  return napi_ok;
}

napi_status napi_async_init(napi_env env, napi_value, napi_value, napi_async_context* result) {
  *result = new napi_async_context__;
  env->contexts.insert(*result);
  return napi_ok;
}

napi_status napi_async_destroy(napi_env env, napi_async_context context) {
  Require(env->contexts.erase(context) == 1, "an asynchronous context is destroyed once");
  delete context;
  return napi_ok;
}

napi_status napi_open_handle_scope(napi_env, napi_handle_scope* scope) {
  *scope = nullptr;
  return napi_ok;
}
napi_status napi_close_handle_scope(napi_env, napi_handle_scope) { return napi_ok; }
napi_status napi_get_global(napi_env env, napi_value* result) { return Give(env->New(Kind::kObject), result); }

napi_status napi_make_callback(napi_env env, napi_async_context context, napi_value, napi_value function, size_t,
                               const napi_value*, napi_value* result) {
  RequireNothingThrown(env);
  Require(env->contexts.count(context) == 1, "what calls back has its context");
  function->script();
  *result = nullptr;
  return env->thrown ? napi_pending_exception : napi_ok;
}

napi_status napi_get_and_clear_last_exception(napi_env env, napi_value* result) {
  *result = env->thrown;
  env->thrown = nullptr;
  return napi_ok;
}

napi_status napi_fatal_exception(napi_env env, napi_value) {
  env->uncaught++;
  return napi_ok;
}

napi_status napi_add_async_cleanup_hook(napi_env env, napi_async_cleanup_hook run, void* data,
                                        napi_async_cleanup_hook_handle*) {
  auto* handle = new napi_async_cleanup_hook_handle__{env, run, data};
  const auto begin = [](void* hook) {
    auto* one = static_cast<napi_async_cleanup_hook_handle>(hook);
    one->env->ending++;
    one->run(one, one->data);
  };
  return napi_add_env_cleanup_hook(env, begin, handle);
}

napi_status napi_remove_async_cleanup_hook(napi_async_cleanup_hook_handle handle) {
  handle->env->ending--;
  delete handle;
  return napi_ok;
}

}  // extern "C"
