// ShardLog's lines about messages that have come: whom they are for, and which way each goes.
#include <algorithm>
#include <optional>
#include <span>
#include <string_view>

#include "core/check.h"
#include "core/config_archive.h"
#include "core/limits.h"
#include "queue/shard_log.h"

namespace outbox::queue {
namespace {

using core::LogLevel;

// Copies for archives are recipients that we have made.
int64_t ArchiveCopies(const MetaView& meta) {
  if (meta.group_count() < 2) return 0;
  int64_t copies = 0;
  GroupView group;
  for (bool more = meta.FirstGroup(&group); more; more = meta.NextGroup(&group)) {
    if (group.route() == core::kArchiveRoute) copies += group.count();
  }
  return copies;
}

// The group that the line about a new message tells of: all of its recipients but copies.
std::optional<GroupView> OnlyGroup(const MetaView& meta) {
  GroupView group;
  std::optional<GroupView> only;
  for (bool more = meta.FirstGroup(&group); more; more = meta.NextGroup(&group)) {
    if (group.route() == core::kArchiveRoute) continue;
    if (only.has_value()) return std::nullopt;
    only = group;
  }
  return only;
}

// Of these, so many have room in one line.
size_t NamesOfALine(std::span<const std::string_view> names) {
  size_t bytes = 0;
  size_t count = 0;
  while (count < names.size() && count < core::kLogRecipients) {
    bytes += names[count].size();
    if (count > 0 && bytes > core::kLogRecipientBytes) break;
    ++count;
  }
  return count;
}

void AddNames(std::span<const std::string_view> names, core::EventLog::Event* line) {
  line->BeginList("to");
  for (const std::string_view name : names) line->Item(name);
  line->EndList();
}

}  // namespace

void ShardLog::Accepted(uint64_t id, const MetaView& meta, const ClientName& sender) {
  const int64_t copies = ArchiveCopies(meta);
  const int64_t recipients = meta.recipient_count() - copies;
  metrics_->accepted_total.Add(recipients);
  if (copies > 0) metrics_->generated_total.Add(copies);
  metrics_->queued.Add(recipients + copies);
  metrics_->messages_accepted_total.Add();
  metrics_->messages_queued.Add();
  if (!events_->Wants(LogLevel::kInfo)) return;
  const std::optional<GroupView> only = OnlyGroup(meta);
  size_t named = 0;
  {
    char text[kMessageIdChars];
    core::EventLog::Event line =
        events_->Write(LogLevel::kInfo, io_->wall_ns(), "accepted", FormatMessageId(id, text));
    line.Field("client", meta.client());
    if (!sender.user.empty()) line.Field("user", sender.user).Field("mechanism", sender.mechanism);
    line.Field("sender", meta.reverse_path())
        .Field("recipients", recipients)
        .Field("size", meta.smtp_size());
    if (only.has_value()) named = AddRoute(meta, *only, &line);
  }
  Routed(id, meta, only, named);
}

void ShardLog::Generated(uint64_t id, const MetaView& meta, uint64_t about) {
  const int64_t recipients = meta.recipient_count();
  metrics_->generated_total.Add(recipients);
  metrics_->queued.Add(recipients);
  metrics_->messages_queued.Add();
  if (!events_->Wants(LogLevel::kInfo)) return;
  const std::optional<GroupView> only = OnlyGroup(meta);
  CHECK(only.has_value() && only->count() == 1);
  {
    char text[kMessageIdChars];
    core::EventLog::Event line =
        events_->Write(LogLevel::kInfo, io_->wall_ns(), "generated", FormatMessageId(id, text));
    line.Field("about", FormatMessageId(about))
        .Field("recipient", meta.Recipient(only->first()))
        .Field("size", meta.smtp_size());
    AddRoute(meta, *only, &line);
  }
  Routed(id, meta, only, 1);
}

void ShardLog::Resubmitted(uint64_t id, const MetaView& meta, uint64_t instead_of) {
  const int64_t recipients = meta.recipient_count();
  metrics_->generated_total.Add(recipients);
  metrics_->queued.Add(recipients);
  metrics_->messages_queued.Add();
  if (!events_->Wants(LogLevel::kInfo)) return;
  const std::optional<GroupView> only = OnlyGroup(meta);
  size_t named = 0;
  {
    char text[kMessageIdChars];
    core::EventLog::Event line =
        events_->Write(LogLevel::kInfo, io_->wall_ns(), "resubmitted", FormatMessageId(id, text));
    line.Field("about", FormatMessageId(instead_of))
        .Field("sender", meta.reverse_path())
        .Field("recipients", recipients)
        .Field("size", meta.smtp_size());
    if (only.has_value()) named = AddRoute(meta, *only, &line);
  }
  Routed(id, meta, only, named);
}

void ShardLog::FindNames(const MetaView& meta, const GroupView& group) {
  names_.clear();
  meta.ForEachRecipient(group, [this](uint32_t, std::string_view to) { names_.push_back(to); });
}

size_t ShardLog::AddRoute(const MetaView& meta, const GroupView& group,
                          core::EventLog::Event* line) {
  line->Field("route", group.route()).Field("destination", group.destination());
  FindNames(meta, group);
  const size_t count = NamesOfALine(names_);
  AddNames(std::span(names_).first(count), line);
  return count;
}

// The usual message has one destination and few recipients, and one line has said all.
void ShardLog::Routed(uint64_t id, const MetaView& meta, const std::optional<GroupView>& told,
                      size_t named) {
  if (told.has_value() && meta.group_count() == 1 && named == told->count()) return;
  GroupView group;
  for (bool more = meta.FirstGroup(&group); more; more = meta.NextGroup(&group)) {
    FindNames(meta, group);
    std::span<const std::string_view> names = names_;
    if (told.has_value() && told->first() == group.first()) names = names.subspan(named);
    while (!names.empty()) {
      const size_t count = NamesOfALine(names);
      char text[kMessageIdChars];
      core::EventLog::Event line =
          events_->Write(LogLevel::kInfo, io_->wall_ns(), "routed", FormatMessageId(id, text));
      line.Field("route", group.route())
          .Field("destination", group.destination())
          .Field("recipients", count);
      AddNames(names.first(count), &line);
      names = names.subspan(count);
    }
  }
}

}  // namespace outbox::queue
