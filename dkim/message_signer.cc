#include "dkim/message_signer.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "core/time.h"
#include "dkim/signer_key.h"

namespace outbox::dkim {
namespace {

// RFC 5322 2.1.1 recommends 78 columns.
constexpr size_t kColumns = 76;

// Writes the field, folding between tags, and where a tag's value may be folded.
class FieldWriter {
 public:
  FieldWriter() : text_("DKIM-Signature:"), column_(text_.size()) {}

  // A piece that must not be broken, behind a blank or on a line of its own.
  void Tag(std::string_view piece) {
    if (column_ + 1 + piece.size() > kColumns) {
      Break();
    } else {
      text_.push_back(' ');
      ++column_;
    }
    Go(piece);
  }
  // One that follows without a blank.
  void Go(std::string_view piece) {
    if (column_ + piece.size() > kColumns && column_ > 1) Break();
    text_.append(piece);
    column_ += piece.size();
  }
  void Break() {
    text_.append("\r\n\t");
    column_ = 1;
  }
  // In lines as they fit.
  void Data(std::string_view data) {
    while (!data.empty()) {
      if (column_ >= kColumns) Break();
      const size_t size = std::min(data.size(), kColumns - column_);
      text_.append(data.substr(0, size));
      column_ += size;
      data.remove_prefix(size);
    }
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  size_t column_;
};

std::string Tagged(std::string_view name, std::string_view value) {
  std::string tag(name);
  tag.append("=").append(value).append(";");
  return tag;
}

void WriteTags(const Selection::One& one, const std::vector<std::string_view>& names,
               const Digest& body, int64_t now_s, FieldWriter* writer) {
  const core::DkimConfig& rule = *one.rule;
  writer->Tag("v=1;");
  writer->Tag(Tagged("a", rule.key->algorithm()));
  std::string form = rule.relaxed_header ? "relaxed/" : "simple/";
  form.append(rule.relaxed_body ? "relaxed" : "simple");
  writer->Tag(Tagged("c", form));
  writer->Tag("q=dns/txt;");
  writer->Break();
  writer->Go(Tagged("d", one.domain));
  writer->Tag(Tagged("s", rule.selector));
  if (!rule.identity.empty()) writer->Tag(Tagged("i", rule.identity));
  writer->Tag(Tagged("t", std::to_string(now_s)));
  if (rule.expire_ns > 0) {
    writer->Tag(Tagged("x", std::to_string(now_s + rule.expire_ns / core::kNsPerSecond)));
  }
  writer->Break();
  std::string piece = "h=";
  for (size_t i = 0; i < names.size(); ++i) {
    piece.append(names[i]).append(i + 1 < names.size() ? ":" : ";");
    writer->Go(piece);
    piece.clear();
  }
  writer->Break();
  writer->Go(Tagged("bh", Base64(AsBytes(body))));
  writer->Break();
  writer->Go("b=");
}

}  // namespace

MessageSigner::MessageSigner(std::shared_ptr<const SigningTable> table, std::string_view domain,
                             std::string_view header)
    : table_(std::move(table)),
      domain_(domain),
      header_(header),
      selection_(table_->Select(domain_)) {
  CHECK(selection_.count > 0);
  for (const Selection::One& one : selection_.all()) {
    std::optional<BodyHash>& hash = one.rule->relaxed_body ? relaxed_ : simple_;
    if (!hash.has_value()) hash.emplace(one.rule->relaxed_body);
    slow_ = slow_ || one.rule->key->slow();
  }
}

void MessageSigner::AppendBody(std::string_view wire) {
  dots_.Read(wire, [this](std::string_view text) {
    if (simple_.has_value()) simple_->Update(text);
    if (relaxed_.has_value()) relaxed_->Update(text);
  });
}

core::Status MessageSigner::Sign(std::string_view added, int64_t now_wall_ns, std::string* out) {
  if (simple_.has_value()) simple_digest_ = simple_->Result();
  if (relaxed_.has_value()) relaxed_digest_ = relaxed_->Result();
  HeaderSection section;
  section.Read(added, header_);
  core::Status status;
  for (const Selection::One& one : selection_.all()) {
    core::Status signed_one = SignOne(one, section, now_wall_ns / core::kNsPerSecond, out);
    if (!signed_one.ok()) status = std::move(signed_one);
  }
  return status;
}

bool MessageSigner::CoverFields(const core::DkimConfig& rule, const HeaderSection& section,
                                std::vector<std::string_view>* names, std::string* canonical) {
  for (const std::string& name : rule.headers) {
    // Receivers take fields of a name from the last one up (RFC 6376 5.4.2).
    for (auto field = section.fields().rbegin(); field != section.fields().rend(); ++field) {
      if (!section.IsNamed(*field, name)) continue;
      if (names->size() == core::kDkimFieldsMax) return false;
      names->push_back(name);
      AppendCanonicalField(section.TextOf(*field), rule.relaxed_header, canonical);
    }
  }
  // One more of a name than there are: a further field would break the signature.
  for (const std::string& name : rule.oversign) names->push_back(name);
  return true;
}

core::Status MessageSigner::SignOne(const Selection::One& one, const HeaderSection& section,
                                    int64_t now_s, std::string* out) {
  std::vector<std::string_view> names;
  std::string canonical;
  if (!CoverFields(*one.rule, section, &names, &canonical)) {
    return core::Status(core::StatusCode::kResourceExhausted,
                        "more than " + std::to_string(core::kDkimFieldsMax) +
                            " header fields would have to be signed");
  }
  FieldWriter writer;
  WriteTags(one, names, one.rule->relaxed_body ? relaxed_digest_ : simple_digest_, now_s, &writer);
  AppendCanonicalField(writer.text(), one.rule->relaxed_header, &canonical);
  Sha256 sha;
  sha.Update(canonical);
  std::string signature;
  if (!one.rule->key->Sign(sha.Finish(), &signature)) {
    return core::Status(core::StatusCode::kResourceExhausted,
                        "there was no memory for the signature of " + std::string(one.domain));
  }
  writer.Data(Base64(signature));
  out->append(writer.text()).append("\r\n");
  return core::OkStatus();
}

}  // namespace outbox::dkim
