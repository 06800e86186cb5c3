#include "core/config_route_auth.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/config_rules.h"

namespace outbox::core {
namespace {

constexpr size_t kPathBytes = 4000;

bool IsEnvironmentName(std::string_view text) {
  const auto is_letter = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  };
  return !text.empty() && text.size() <= 255 && is_letter(text[0]) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

// Where the user is one.
std::string PlaceOf(const RouteConfig& route) {
  std::string place = route.via_mx ? "mx" : "";
  for (const ViaHost& host : route.via) place += host.host + ":" + std::to_string(host.port) + ",";
  return place + "|" + route.auth.user;
}

}  // namespace

void RouteAuthReader::Read(ConfigReader* reader, RouteConfig* route) {
  ConfigText user;
  ConfigText file;
  ConfigText env;
  const bool has_user = reader->Text("auth_user", &user);
  const bool has_file = reader->Text("auth_secret_file", &file);
  const bool has_env = reader->Text("auth_secret_env", &env);
  RouteAuth& auth = route->auth;
  ReadMechanisms(reader, &auth);
  reader->Boolean("auth_plaintext", &auth.plain_in_clear);
  if (!has_user) {
    for (const std::string_view key : kRouteAuthKeys) {
      if (!reader->Has(key)) continue;
      const bool secret = key == "auth_secret_file" || key == "auth_secret_env";
      problems_->Add(reader->PositionOf(key),
                     secret ? "there is a secret, but no \"auth_user\"; expected both"
                            : "\"" + std::string(key) +
                                  "\" is for a route with \"auth_user\"; expected that, too");
      return;
    }
    return;
  }
  if (has_file == has_env) {
    problems_->Add(user.position,
                   "\"auth_user\" has " + std::string(has_file ? "two secrets" : "no secret") +
                       "; expected either \"auth_secret_file\" or \"auth_secret_env\"");
    return;
  }
  if (user.text.empty() || user.text.size() > kConfigAuthUserBytes || !IsPrintable(user.text)) {
    problems_->Expect(
        user, "is no name to authenticate with",
        "1 to " + std::to_string(kConfigAuthUserBytes) + " printable ASCII characters");
  }
  const ConfigText& place = has_file ? file : env;
  if (has_file && (file.text.empty() || file.text.size() > kPathBytes)) {
    problems_->Expect(file, "is not a path that can be used", "the file that holds the secret");
  }
  if (has_env && !IsEnvironmentName(env.text)) {
    // What stands there may be the secret itself.
    problems_->Add(env.position,
                   "\"auth_secret_env\" is no name of an environment variable; "
                   "expected for example \"RELAY_SECRET\"");
  }
  if (!route->via.empty() && route->via[0].lmtp) {
    problems_->Add(user.position,
                   "nobody authenticates by LMTP here; expected no \"auth_user\", or hosts that "
                   "speak SMTP");
  }
  auth.user = user.text;
  auth.secret_file = file.text;
  auth.secret_env = env.text;
  auth.line = place.position.line;
  auth.column = place.position.column;
  CheckSame(*route, user.position);
}

void RouteAuthReader::ReadMechanisms(ConfigReader* reader, RouteAuth* auth) {
  std::vector<ConfigText> texts;
  if (!reader->Texts("auth_mechanisms", "an array of mechanisms", kAuthMechanismCount, &texts)) {
    return;
  }
  auth->mechanisms = 0;
  for (const ConfigText& text : texts) {
    const auto* const found =
        std::find(std::begin(kAuthMechanismNames), std::end(kAuthMechanismNames), text.text);
    if (found == std::end(kAuthMechanismNames)) {
      problems_->Expect(text, "is no mechanism that is known here",
                        "\"PLAIN\", \"LOGIN\" or \"CRAM-MD5\"");
    } else {
      auth->mechanisms |=
          BitOf(static_cast<AuthMechanism>(found - std::begin(kAuthMechanismNames)));
    }
  }
}

void RouteAuthReader::CheckSame(const RouteConfig& route, TomlPosition position) {
  const auto [found, is_new] = known_.try_emplace(PlaceOf(route), Known{route.auth, position.line});
  const RouteAuth& other = found->second.auth;
  const RouteAuth& auth = route.auth;
  if (is_new ||
      (other.secret_file == auth.secret_file && other.secret_env == auth.secret_env &&
       other.plain_in_clear == auth.plain_in_clear && other.mechanisms == auth.mechanisms)) {
    return;
  }
  problems_->Add(position, "the route with this user in line " +
                               std::to_string(found->second.line) +
                               " goes to the same hosts with another secret, auth_mechanisms or "
                               "auth_plaintext; expected the same");
}

}  // namespace outbox::core
