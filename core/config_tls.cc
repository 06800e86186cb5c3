#include "core/config_tls.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace outbox::core {
namespace {

constexpr std::array<std::string_view, 5> kTlsModes = {"none", "opportunistic", "required",
                                                       "implicit", "verify"};
constexpr size_t kTlsPathBytes = 4000;

void ReadFiles(ConfigReader* reader, std::string_view key, std::vector<ConfigFile>* files,
               ConfigProblems* problems) {
  std::vector<ConfigText> texts;
  if (!reader->Texts(key, "a file or an array of files", kConfigCertificates, &texts)) return;
  for (const ConfigText& text : texts) {
    if (text.text.empty() || text.text.size() > kTlsPathBytes ||
        text.text.find('\0') != std::string::npos) {
      problems->Expect(text, "is not a path that can be used",
                       "1 to " + std::to_string(kTlsPathBytes) + " bytes");
    } else {
      files->push_back({text.text, text.position.line, text.position.column});
    }
  }
}

}  // namespace

bool ReadTlsMode(ConfigReader* reader, TlsMode* mode, TomlPosition* place,
                 ConfigProblems* problems) {
  ConfigText text;
  if (!reader->Text("tls", &text)) return false;
  const auto* const found = std::find(kTlsModes.begin(), kTlsModes.end(), text.text);
  if (found == kTlsModes.end()) {
    problems->Expect(text, "is no way to use TLS",
                     "\"none\", \"opportunistic\", \"required\", \"implicit\" or \"verify\"");
    return false;
  }
  *mode = static_cast<TlsMode>(found - kTlsModes.begin());
  *place = text.position;
  return true;
}

void ReadListenerTls(ConfigReader* reader, ListenerConfig* listener, ConfigProblems* problems) {
  ReadFiles(reader, "tls_certificate", &listener->tls_certificates, problems);
  ReadFiles(reader, "tls_key", &listener->tls_keys, problems);
  const bool certified = reader->Has("tls_certificate");
  listener->tls = certified ? TlsMode::kOpportunistic : TlsMode::kNone;
  TomlPosition place;
  const bool said = ReadTlsMode(reader, &listener->tls, &place, problems);
  if (said && listener->tls == TlsMode::kVerify) {
    problems->Add(place, "\"verify\" is for routes: a listener does not look at its clients' "
                         "certificates; expected \"none\", \"opportunistic\", \"required\" or "
                         "\"implicit\"");
  } else if (said && listener->tls != TlsMode::kNone && !certified) {
    problems->Add(place, "the listener has no certificate to use TLS with; expected "
                         "\"tls_certificate\" and \"tls_key\"");
  }
  if (reader->Has("tls_key") && !certified) {
    problems->Add(reader->PositionOf("tls_key"),
                  "there is a key, but no certificate; expected \"tls_certificate\"");
  } else if (!listener->tls_keys.empty() &&
             listener->tls_keys.size() != listener->tls_certificates.size()) {
    problems->Add(reader->PositionOf("tls_key"),
                  "\"tls_key\" has " + std::to_string(listener->tls_keys.size()) + " files and "
                  "\"tls_certificate\" has " + std::to_string(listener->tls_certificates.size()) +
                  "; expected a key for each certificate, in the same order, or none when each "
                  "file has both");
  } else if (listener->tls_keys.empty()) {
    listener->tls_keys = listener->tls_certificates;
  }
}

void ReadDeliveryTls(ConfigReader* reader, DeliveryConfig* delivery, ConfigProblems* problems) {
  TomlPosition place;
  if (ReadTlsMode(reader, &delivery->tls, &place, problems) &&
      delivery->tls == TlsMode::kImplicit) {
    problems->Add(place, "hosts that MX records name are not spoken to by implicit TLS; expected "
                         "\"none\", \"opportunistic\", \"required\" or \"verify\", and "
                         "\"implicit\" in a route");
  }
  std::vector<ConfigFile> files;
  ReadFiles(reader, "tls_ca", &files, problems);
  if (files.size() > 1) {
    problems->Add(reader->PositionOf("tls_ca"),
                  "\"tls_ca\" has more than one file; expected one, with all certificates in it");
  } else if (!files.empty()) {
    delivery->tls_ca = std::move(files[0]);
  }
}

}  // namespace outbox::core
