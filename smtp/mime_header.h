// MimeHeader: a header section taken apart into fields, and what MIME needs of them (RFC 2045).
//
// Reads whatever is there: a section of a message or of one of its parts, any octets. Comments are
// passed over in the two fields that are read (Content-Type, Content-Transfer-Encoding); of two
// fields of one name the first counts.
#ifndef OUTBOX_SMTP_MIME_HEADER_H_
#define OUTBOX_SMTP_MIME_HEADER_H_

#include <string>
#include <string_view>
#include <vector>

namespace outbox::smtp {

struct MimeHeader {
  // Views into the section.
  struct Field {
    std::string_view name;   // without the colon; empty: the line is no field
    std::string_view whole;  // all its lines, with their line ends

    bool IsNamed(std::string_view lower) const;  // in any case
  };
  std::vector<Field> fields;

  std::string type;       // "multipart/mixed", in lower case; empty: none is said, or not readable
  std::string boundary;   // of a multipart; empty: none
  std::string encoding;   // "8bit", in lower case; empty: none is said
  bool has_type = false;  // there is a Content-Type
  bool has_version = false;

  // `section`: whole lines with CRLF, without the empty line that ends it.
  static MimeHeader Read(std::string_view section);
  bool multipart() const { return type.starts_with("multipart/"); }
};

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_MIME_HEADER_H_
