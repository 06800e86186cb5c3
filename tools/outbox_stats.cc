// `outbox stats`.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "tools/outbox_commands.h"
#include "tools/outbox_text.h"

namespace outbox::tools {
namespace {

struct Row {
  std::string name;
  std::string value;
};

// The groups in the order in which an operator asks: what is there now, what has passed, what it
// costs.
struct Group {
  const char* title;
  std::vector<const char*> names;
};

const std::vector<Group>& Groups() {
  static const std::vector<Group> groups = {
      {"Now", {"queued", "purged", "sending", "connections_in", "connections_out"}},
      {"Recipients since the start",
       {"accepted_total", "generated_total", "delivered_total", "deferred_total", "bounced_total",
        "expired_total", "discarded_total", "removed_total"}},
      {"Resources", {"memory_bytes", "spool_bytes", "spool_live_bytes", "disk_low"}},
  };
  return groups;
}

std::string Value(const std::string& name, const nlohmann::json& value) {
  if (value.is_number() && name.ends_with("_bytes")) return FormatBytes(value.get<double>());
  if (value.is_number() && name.ends_with("_seconds")) return FormatDuration(value.get<double>());
  if (value.is_number_integer()) return FormatCount(value.get<int64_t>());
  if (value.is_string()) return value.get<std::string>();
  return value.dump();
}

// Everything that no group names, nested objects by dotted names; lists (such as one object a
// shard) are for --json.
void CollectOthers(const nlohmann::json& stats, const std::string& prefix,
                   const std::vector<std::string>& shown, std::vector<Row>* rows) {
  for (const auto& [key, value] : stats.items()) {
    const std::string name = prefix + key;
    if (std::find(shown.begin(), shown.end(), name) != shown.end()) continue;
    if (value.is_object()) {
      CollectOthers(value, name + ".", shown, rows);
    } else if (!value.is_array()) {
      rows->push_back({name, Value(name, value)});
    }
  }
}

void AppendTable(const char* title, const std::vector<Row>& rows, std::string* out) {
  if (rows.empty()) return;
  size_t name_width = 0;
  size_t value_width = 0;
  for (const Row& row : rows) {
    name_width = std::max(name_width, row.name.size());
    value_width = std::max(value_width, row.value.size());
  }
  if (!out->empty()) out->push_back('\n');
  out->append(title).push_back('\n');
  for (const Row& row : rows) {
    out->append("  ").append(row.name).append(name_width - row.name.size() + 2, ' ');
    out->append(value_width - row.value.size(), ' ').append(row.value).push_back('\n');
  }
}

}  // namespace

std::string FormatStats(const nlohmann::json& stats) {
  std::string out;
  std::vector<std::string> shown;
  for (const Group& group : Groups()) {
    std::vector<Row> rows;
    for (const char* const name : group.names) {
      if (!stats.contains(name)) continue;
      rows.push_back({name, Value(name, stats[name])});
      shown.emplace_back(name);
    }
    AppendTable(group.title, rows, &out);
  }
  std::vector<Row> others;
  CollectOthers(stats, "", shown, &others);
  AppendTable("More", others, &out);
  return out;
}

core::Status StatsCommand(ControlClient* client, bool json) {
  const core::Result<nlohmann::json> stats = client->Ask({{"command", "stats"}}, kAnswerSeconds);
  if (!stats.ok()) return stats.status();
  const std::string text = json ? stats->dump() + "\n" : FormatStats(*stats);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return core::OkStatus();
}

}  // namespace outbox::tools
