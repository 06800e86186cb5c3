// SigningTable: the [[dkim]] of a configuration, as something that can be asked whose mail is
// signed with what.
//
// Every entry that takes a domain signs, in the order of the file, so that two entries make two
// signatures; at most core::kDkimSignaturesMax. "example.com" takes that domain, "*.example.com"
// all below it, "*" every one. The domain of a signature (d=) is the entry's signing_domain; else
// of "*.example.com" it is example.com, since one record is enough then; else the author's.
//
// Immutable; may be shared between threads.
#ifndef OUTBOX_DKIM_SIGNING_TABLE_H_
#define OUTBOX_DKIM_SIGNING_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/limits.h"
#include "core/string_map.h"

namespace outbox::dkim {

// The entries that sign a message, and for which domain each. Views belong to the table, or to the
// author's domain that was asked about.
struct Selection {
  struct One {
    const core::DkimConfig* rule = nullptr;
    std::string_view domain;  // d=
  };
  std::array<One, core::kDkimSignaturesMax> rules;
  size_t count = 0;

  std::span<const One> all() const { return {rules.data(), count}; }
};

class SigningTable {
 public:
  // The table of a configuration; null: it has no [[dkim]]. REQUIRES: keys are loaded.
  static std::shared_ptr<const SigningTable> Make(std::shared_ptr<const core::Config> config);

  // REQUIRES: `domain` in lower case.
  Selection Select(std::string_view domain) const;

 private:
  struct Match {
    uint32_t rule = 0;     // in the configuration
    std::string_view pattern;
  };
  using Matches = std::vector<Match>;

  explicit SigningTable(std::shared_ptr<const core::Config> config);

  const std::shared_ptr<const core::Config> config_;
  core::StringMap<Matches> names_;   // "example.com"
  core::StringMap<Matches> below_;   // "example.com" of "*.example.com"
  Matches all_;
};

}  // namespace outbox::dkim

#endif  // OUTBOX_DKIM_SIGNING_TABLE_H_
