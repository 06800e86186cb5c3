// HeaderSection: the header fields of a message as a signature sees them.
//
// Read from the fields that we add and from the message in wire form behind them, as one section:
// that is what receivers get. A line that begins with a blank belongs to the field before it (RFC
// 5322 2.2.3); a line that is no field is nobody's. Whatever a client sends is some list of fields.
#ifndef OUTBOX_DKIM_HEADER_SECTION_H_
#define OUTBOX_DKIM_HEADER_SECTION_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::dkim {

// Where the header section of a message in wire form ends: at an empty line, or at the line with
// the final dot. `*line`: where a line begins up to which it has been looked at (0 at first), so
// that more can be asked about without looking twice. False: not within `wire`.
bool FindHeaderEnd(std::string_view wire, size_t* line);
// The body of a message whose header section is `header` octets long: behind the empty line.
std::string_view BodyBehind(std::string_view wire, size_t header);

class HeaderSection {
 public:
  struct Field {
    uint32_t at = 0;  // in the text
    uint32_t size = 0;  // with its last CRLF
    uint32_t name_size = 0;
  };

  // `added`: whole lines, not dot-stuffed. `header`: the section in wire form, without the empty
  // line at its end. Together below 4 GiB.
  void Read(std::string_view added, std::string_view header);

  // From the first to the last.
  const std::vector<Field>& fields() const { return fields_; }
  std::string_view NameOf(const Field& field) const {
    return std::string_view(text_).substr(field.at, field.name_size);
  }
  std::string_view TextOf(const Field& field) const {
    return std::string_view(text_).substr(field.at, field.size);
  }
  // What is behind the colon, folded as it is.
  std::string_view ValueOf(const Field& field) const;
  // `name` in lower case.
  bool IsNamed(const Field& field, std::string_view name) const;

 private:
  void ReadLine(std::string_view line);

  std::string text_;
  std::vector<Field> fields_;
  bool in_field_ = false;  // what a line that begins with a blank goes on with
};

// Appends the canonical form of one field (RFC 6376 3.4.1, 3.4.2): `text` is its name and value,
// folded as it is, with or without its last CRLF; what is appended has the same.
void AppendCanonicalField(std::string_view text, bool relaxed, std::string* out);

}  // namespace outbox::dkim

#endif  // OUTBOX_DKIM_HEADER_SECTION_H_
