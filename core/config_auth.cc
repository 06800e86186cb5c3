#include "core/config_auth.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace outbox::core {
namespace {

constexpr std::array<std::string_view, 3> kAuthModes = {"none", "offered", "required"};
constexpr size_t kUserPathBytes = 4000;

// False: there is none that can be used.
bool ReadUserFile(ConfigReader* reader, std::string_view key, ConfigFile* file,
                  ConfigProblems* problems) {
  ConfigText text;
  if (!reader->Text(key, &text)) return false;
  if (text.text.empty() || text.text.size() > kUserPathBytes ||
      text.text.find('\0') != std::string::npos) {
    problems->Expect(text, "is not a path that can be used",
                     "1 to " + std::to_string(kUserPathBytes) + " bytes");
    return false;
  }
  *file = {text.text, text.position.line, text.position.column};
  return true;
}

// At a unix socket the kernel says who it is.
void RefuseAtUnixSocket(ConfigReader* reader, ConfigProblems* problems) {
  ConfigText text;
  bool flag = false;
  reader->Text("auth", &text);
  reader->Text("auth_users", &text);
  reader->Boolean("auth_without_tls", &flag);
  for (const std::string_view key : {"auth", "auth_users", "auth_without_tls"}) {
    if (!reader->Has(key)) continue;
    problems->Add(reader->PositionOf(key), "\"" + std::string(key) +
                                               "\" means nothing at a unix socket, where the "
                                               "system knows the user; expected no such key");
  }
}

}  // namespace

void ReadAuth(const TomlValue& table, AuthConfig* auth, ConfigProblems* problems) {
  ConfigReader reader(table, "[auth]", problems);
  ReadUserFile(&reader, "users", &auth->users, problems);
  reader.Integer("max_failures", 1, kAuthFailuresMax, &auth->max_failures);
  reader.Duration("failure_period", kNsPerSecond, kNsPerDay, ConfigReader::Never::kRefused,
                  &auth->failure_period_ns);
  reader.Duration("refuse_for", kNsPerSecond, kNsPerDay, ConfigReader::Never::kRefused,
                  &auth->refuse_for_ns);
  reader.Finish();
}

void ReadListenerAuth(ConfigReader* reader, const AuthConfig& all, ListenerConfig* listener,
                      ConfigProblems* problems) {
  if (listener->is_unix()) return RefuseAtUnixSocket(reader, problems);
  ListenerAuth& auth = listener->auth;
  ConfigText text;
  const bool said = reader->Text("auth", &text);
  if (said) {
    const auto* const found = std::find(kAuthModes.begin(), kAuthModes.end(), text.text);
    if (found == kAuthModes.end()) {
      problems->Expect(text, "is no way to use AUTH", "\"none\", \"offered\" or \"required\"");
    } else {
      auth.mode = static_cast<AuthMode>(found - kAuthModes.begin());
    }
  }
  const bool own = ReadUserFile(reader, "auth_users", &auth.file, problems);
  if (!own) auth.file = all.users;
  reader->Boolean("auth_without_tls", &auth.without_tls);
  if (auth.mode == AuthMode::kNone) {
    for (const std::string_view key : {"auth_users", "auth_without_tls"}) {
      if (!reader->Has(key)) continue;
      problems->Add(reader->PositionOf(key), "\"" + std::string(key) +
                                                 "\" has no use here; expected auth = \"offered\" "
                                                 "or \"required\" with it");
    }
    return;
  }
  if (auth.file.path.empty() && !reader->Has("auth_users")) {
    problems->Add(text.position,
                  "nobody is known who could authenticate himself; expected \"auth_users\" with a "
                  "file of users, or \"users\" in [auth]");
  }
  if (listener->tls == TlsMode::kNone && !auth.without_tls) {
    problems->Add(text.position,
                  "passwords are taken over TLS only, and the listener has none; expected "
                  "\"tls_certificate\", or auth_without_tls = true where nobody can listen in");
  }
}

}  // namespace outbox::core
