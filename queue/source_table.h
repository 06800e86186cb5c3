// SourceTable: the [[source]] tables of the configuration, by name.
//
// Never changes; a reload puts another one in its place. Destinations name a source in their keys
// and find here what it is today (queue/destination_source.cc).
#ifndef OUTBOX_QUEUE_SOURCE_TABLE_H_
#define OUTBOX_QUEUE_SOURCE_TABLE_H_

#include <memory>
#include <string_view>
#include <utility>

#include "core/config.h"
#include "core/string_map.h"

namespace outbox::queue {

class SourceTable {
 public:
  // Null when there are none.
  static std::shared_ptr<const SourceTable> Make(const core::Config& config) {
    if (config.sources.empty()) return nullptr;
    auto table = std::make_shared<SourceTable>();
    for (const core::SourceConfig& source : config.sources) {
      table->by_name_[source.name] = std::make_shared<const core::SourceConfig>(source);
    }
    return table;
  }

  // Those of `now`, and what only `next` has. Either may be null.
  static std::shared_ptr<const SourceTable> Both(const std::shared_ptr<const SourceTable>& now,
                                                 const std::shared_ptr<const SourceTable>& next) {
    if (now == nullptr || next == nullptr) return now == nullptr ? next : now;
    auto both = std::make_shared<SourceTable>(*now);
    both->by_name_.insert(next->by_name_.begin(), next->by_name_.end());
    return both;
  }

  // Null: there is none of that name.
  std::shared_ptr<const core::SourceConfig> Find(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
  }

 private:
  core::StringMap<std::shared_ptr<const core::SourceConfig>> by_name_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SOURCE_TABLE_H_
