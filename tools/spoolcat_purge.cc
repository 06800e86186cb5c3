#include "tools/spoolcat_purge.h"

#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/byte_size.h"
#include "core/duration.h"
#include "core/time.h"
#include "queue/message_id.h"
#include "queue/queue_filter.h"
#include "queue/spool/offline_log.h"
#include "queue/spool/offline_purge.h"
#include "queue/spool/offline_writer.h"

namespace outbox::tools {
namespace {

using queue::MetaView;
using queue::OfflineLog;
using queue::OfflineMessage;
using queue::OfflinePurge;
using queue::OfflineWriter;
using queue::StateView;

struct Sums {
  uint64_t recipients = 0;
  uint64_t messages = 0;  // with such recipients
  uint64_t ended = 0;     // of them, those of which nobody is left
  uint64_t bytes = 0;     // of these
};

int64_t WallNs() {
  std::timespec now = {};
  std::timespec_get(&now, TIME_UTC);
  return now.tv_sec * core::kNsPerSecond + now.tv_nsec;
}

bool MessageMeant(const PurgeOptions& options, const MetaView& meta, int64_t now_ns) {
  if (options.id != 0 && meta.id() != options.id) return false;
  if (now_ns - meta.accepted_wall_ns() < options.age_min_ns) return false;
  if (meta.smtp_size() < options.size_min) return false;
  const std::string_view sender = meta.reverse_path();
  return options.sender.empty() || queue::MatchesSender(options.sender, sender);
}

bool RecipientMeant(const PurgeOptions& options, std::string_view address) {
  return (options.recipient.empty() || queue::MatchesAddress(options.recipient, address)) &&
         (options.domain.empty() || queue::MatchesDomain(options.domain, queue::DomainOf(address)));
}

// One log. `writer`: null in a dry run.
core::Status PurgeLog(const OfflineLog& log, const PurgeOptions& options, OfflineWriter* writer,
                      Sums* sums) {
  const int64_t now_ns = WallNs();
  queue::StateBuilder builder;
  for (const auto& [id, message] : log.messages()) {
    const std::optional<MetaView> meta = MetaView::Parse(message.meta);
    if (!meta.has_value() || !MessageMeant(options, *meta, now_ns)) continue;
    const std::optional<StateView> parsed = StateView::Parse(message.state);
    const StateView state = parsed.has_value() ? *parsed : StateView();
    const OfflinePurge purge = PurgeRecipients(
        *meta, state, [&](std::string_view address) { return RecipientMeant(options, address); },
        &builder);
    if (purge.purged == 0) continue;
    sums->recipients += purge.purged;
    ++sums->messages;
    if (purge.state.empty()) {
      ++sums->ended;
      sums->bytes += meta->smtp_size();
    }
    if (writer == nullptr) continue;
    const core::Status written =
        purge.state.empty() ? writer->Done(id) : writer->State(id, purge.state);
    if (!written.ok()) return written;
  }
  return writer == nullptr ? core::Status() : writer->Flush();
}

void Report(const Sums& sums, const PurgeOptions& options) {
  if (options.json) {
    std::puts(nlohmann::json({{"recipients", sums.recipients},
                              {"messages", sums.messages},
                              {"messages_ended", sums.ended},
                              {"bytes", sums.bytes},
                              {"dry_run", options.dry_run}})
                  .dump()
                  .c_str());
    return;
  }
  const auto ending = [](uint64_t count) { return count == 1 ? "" : "s"; };
  std::printf(
      "%llu recipient%s of %llu message%s %s; %llu message%s with %llu bytes %s over by "
      "that\n",
      static_cast<unsigned long long>(sums.recipients), ending(sums.recipients),
      static_cast<unsigned long long>(sums.messages), ending(sums.messages),
      options.dry_run ? "would be purged" : "purged", static_cast<unsigned long long>(sums.ended),
      ending(sums.ended), static_cast<unsigned long long>(sums.bytes),
      options.dry_run   ? "would be"
      : sums.ended == 1 ? "is"
                        : "are");
}

}  // namespace

CLI::App* AddPurge(CLI::App* app, PurgeOptions* options) {
  CLI::App* const purge = app->add_subcommand(
      "purge", "Takes recipients out for good; nobody is told. Safe to be cut off and run again");
  purge->add_option("--sender", options->sender, "Envelope sender, \"<>\" for none; or with *");
  purge->add_option("--recipient", options->recipient, "Envelope recipient; or with *");
  purge->add_option("--domain", options->domain, "Recipient domain; or with *");
  purge->add_option("--older-than", options->older_than, "Accepted so long ago: 30m, 2h, 1d");
  purge->add_option("--size-over", options->size_over, "Of so many bytes or more: 500KiB, 1MiB");
  purge->add_option("--id", options->id_text, "Of one message, as list shows it");
  purge->add_flag("--all", options->all, "Everything");
  purge->add_flag("--dry-run", options->dry_run, "Only say how much it would be");
  purge->add_flag("--json", options->json, "As a JSON object");
  purge->footer(
      "Examples:\n"
      "  spoolcat purge /var/spool/outbox --sender 'virus@*' --dry-run\n"
      "  spoolcat purge /var/spool/outbox --sender 'virus@*'\n"
      "  spoolcat purge /var/spool/outbox --domain example.net --older-than 2d");
  return purge;
}

void CheckPurge(PurgeOptions* options) {
  options->sender = queue::AddressPattern(options->sender);
  options->recipient = queue::AddressPattern(options->recipient);
  options->domain = queue::DomainPattern(options->domain);
  const bool filter = !options->sender.empty() || !options->recipient.empty() ||
                      !options->domain.empty() || !options->older_than.empty() ||
                      !options->size_over.empty() || !options->id_text.empty();
  if (filter == options->all) {
    throw CLI::ValidationError("purge", "expected a filter such as --sender, or --all");
  }
  if (!options->id_text.empty()) {
    options->id = queue::ParseMessageId(options->id_text).value_or(0);
    if (options->id == 0) {
      throw CLI::ValidationError("--id", "expected a message id of 13 characters");
    }
  }
  if (!options->older_than.empty()) {
    const core::Result<int64_t> age = core::ParseDuration(options->older_than);
    if (!age.ok()) throw CLI::ValidationError("--older-than", age.status().message());
    options->age_min_ns = *age;
  }
  if (!options->size_over.empty()) {
    const core::Result<uint64_t> size = core::ParseByteSize(options->size_over);
    if (!size.ok()) throw CLI::ValidationError("--size-over", size.status().message());
    options->size_min = *size;
  }
}

bool PurgeSpool(const std::vector<std::string>& logs, const PurgeOptions& options) {
  Sums sums;
  core::Status status;
  for (const std::string& path : logs) {
    OfflineLog log;
    status = log.Read(path);
    if (status.ok() && !log.untouchable().empty()) {
      status = core::Status(core::StatusCode::kDataLoss,
                            log.untouchable() + ": nothing in " + path + " was changed");
    }
    if (!status.ok()) break;
    OfflineWriter writer(path, &log);
    status = PurgeLog(log, options, options.dry_run ? nullptr : &writer, &sums);
    if (!status.ok()) break;
  }
  if (!status.ok()) {
    std::fprintf(stderr, "spoolcat: %s\n", status.message().c_str());
    std::fputs("spoolcat: not everything was purged; what was stays so, and it can be run again\n",
               stderr);
    return false;
  }
  Report(sums, options);
  return true;
}

}  // namespace outbox::tools
