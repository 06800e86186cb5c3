// Looks at a message that has arrived: which of its DKIM-Signature fields say what a key says of
// what is there. Both kinds of signature are the same whenever they are made, so that a key can
// check by signing again. What others think of signatures is for tests/e2e.
#ifndef OUTBOX_TESTS_DKIM_CHECK_SIGNATURES_H_
#define OUTBOX_TESTS_DKIM_CHECK_SIGNATURES_H_

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dkim/body_canon.h"
#include "dkim/header_section.h"
#include "dkim/signer_key.h"

namespace outbox::dkim {

using TestKeys = std::map<std::string, std::shared_ptr<const SignerKey>>;  // by selector

inline std::map<std::string, std::string> TagsOf(std::string_view value) {
  std::map<std::string, std::string> tags;
  std::string text;
  for (const char c : value) {
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') text.push_back(c);
  }
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(';', at), text.size());
    const size_t equals = text.find('=', at);
    if (equals < end) {
      tags[text.substr(at, equals - at)] = text.substr(equals + 1, end - equals - 1);
    }
    at = end + 1;
  }
  return tags;
}

// What the fields named in `names` ("from:to:from") are in canonical form, from the last one up.
inline std::string CoveredFields(const HeaderSection& section, std::string names, bool relaxed) {
  std::vector<bool> used(section.fields().size());
  std::string canonical;
  names += ":";
  for (size_t at = 0, end = 0; (end = names.find(':', at)) != std::string::npos; at = end + 1) {
    const std::string name = names.substr(at, end - at);
    for (size_t i = used.size(); i-- > 0;) {
      if (used[i] || !section.IsNamed(section.fields()[i], name)) continue;
      used[i] = true;
      AppendCanonicalField(section.TextOf(section.fields()[i]), relaxed, &canonical);
      break;
    }
  }
  return canonical;
}

// "selector d=domain", or "selector d=domain: what is wrong", of each. `message`: wire form, with
// or without its final dot.
inline std::vector<std::string> CheckSignatures(std::string_view message, const TestKeys& keys) {
  std::vector<std::string> found;
  size_t header = 0;
  if (!FindHeaderEnd(message, &header)) return {"no end of the header section"};
  HeaderSection section;
  section.Read("", message.substr(0, header));
  for (const HeaderSection::Field& field : section.fields()) {
    if (!section.IsNamed(field, "dkim-signature")) continue;
    std::map<std::string, std::string> tags = TagsOf(section.ValueOf(field));
    std::string what = tags["s"] + " d=" + tags["d"];
    const bool relaxed_header = tags["c"].starts_with("relaxed/");
    DotReader dots;
    BodyHash hash(tags["c"].ends_with("/relaxed"));
    dots.Read(BodyBehind(message, header), [&](std::string_view text) { hash.Update(text); });
    if (Base64(AsBytes(hash.Result())) != tags["bh"]) what += ": another body";
    std::string canonical = CoveredFields(section, tags["h"], relaxed_header);
    const std::string_view text = section.TextOf(field);
    AppendCanonicalField(text.substr(0, text.rfind("b=") + 2), relaxed_header, &canonical);
    Sha256 sha;
    sha.Update(canonical);
    std::string signature;
    const auto key = keys.find(tags["s"]);
    if (key == keys.end() || !key->second->Sign(sha.Finish(), &signature) ||
        Base64(signature) != tags["b"]) {
      what += ": not signed by its key";
    }
    found.push_back(what);
  }
  return found;
}

}  // namespace outbox::dkim

#endif  // OUTBOX_TESTS_DKIM_CHECK_SIGNATURES_H_
