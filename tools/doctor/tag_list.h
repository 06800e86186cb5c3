// Tag lists, "v=DKIM1; k=rsa; p=...": the form of DKIM keys and DMARC records (RFC 6376 3.2). Pure.
#ifndef OUTBOX_TOOLS_DOCTOR_TAG_LIST_H_
#define OUTBOX_TOOLS_DOCTOR_TAG_LIST_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace outbox::tools {

struct Tag {
  std::string name;
  std::string value;  // without the blanks around it
};

class TagList {
 public:
  // The error names the tag that is wrong, or doubled.
  static core::Result<TagList> Parse(std::string_view text);

  // The value; null when the tag is not there. Names are compared exactly.
  const std::string* Find(std::string_view name) const;
  const std::vector<Tag>& tags() const { return tags_; }

 private:
  std::vector<Tag> tags_;
};

// The items of "a:b : c", without the blanks around them.
std::vector<std::string> SplitItems(std::string_view text, char separator);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_TAG_LIST_H_
