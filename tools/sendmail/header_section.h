// HeaderSection: the header of a message as a program wrote it, and what a submission program may
// do to it (RFC 5322 3.6, RFC 6409 8): take fields out, and add those that are missing.
//
// Lines of the content end in CRLF. Fields stay as they are, in their order; what is added comes
// behind them.
#ifndef OUTBOX_TOOLS_SENDMAIL_HEADER_SECTION_H_
#define OUTBOX_TOOLS_SENDMAIL_HEADER_SECTION_H_

#include <string>
#include <string_view>
#include <vector>

namespace outbox::tools {

class HeaderSection {
 public:
  // Takes the header off `content`: up to the first empty line, or to the first line that cannot
  // belong to one. A line "From " of a mailbox file before it is dropped.
  explicit HeaderSection(std::string_view content);

  // Names in lower case.
  bool Has(std::string_view name) const;
  // The values of all fields of this name, unfolded only in so far as their CRLFs remain.
  std::vector<std::string_view> Values(std::string_view name) const;
  void Remove(std::string_view name);
  // `name` as it is to be written.
  void Add(std::string_view name, std::string_view value);

  // Header, empty line, body.
  std::string Content() const;

 private:
  struct Field {
    std::string name;  // in lower case
    std::string text;  // all of it, with its lines' ends
    size_t value = 0;  // where the value begins in it
  };
  std::vector<Field> fields_;
  std::string_view body_;
};

// A display name and an address as they stand in From: quoted or encoded (RFC 2047) as needed.
std::string FromValue(std::string_view full_name, std::string_view address);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SENDMAIL_HEADER_SECTION_H_
