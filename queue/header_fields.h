// HeaderFields: the header section of a message, for routes that look for fields in it.
//
// Read once a message, and only when some route asks (docs/routes.md). Fields are unfolded (RFC
// 5322 2.2.3) and their values trimmed; of a section longer than limits.h kRouteHeaderBytes the
// beginning is read. Whatever a client sends is some list of fields. Reusable without allocation;
// shard-local.
#ifndef OUTBOX_QUEUE_HEADER_FIELDS_H_
#define OUTBOX_QUEUE_HEADER_FIELDS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"

namespace outbox::queue {

class HeaderFields {
 public:
  // `message`: its beginning in wire form, up to the end of its header section or beyond.
  void Read(std::string_view message);
  void Clear();
  // One more, as a line without CRLF.
  void Add(std::string_view line);

  // There is a field that the condition means.
  bool Has(const core::HeaderCondition& condition) const;
  size_t size() const { return fields_.size(); }

 private:
  struct Field {
    uint32_t name_at = 0;
    uint32_t name_size = 0;
    uint32_t value_at = 0;
    uint32_t value_size = 0;
  };

  void AddUnfolded(size_t from);

  std::string text_;  // names in lower case, and values
  std::vector<Field> fields_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_HEADER_FIELDS_H_
