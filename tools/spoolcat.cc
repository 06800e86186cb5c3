// spoolcat: what is in a spool, while outboxd is down.
//
//   spoolcat list SPOOL [--json]                  one line a message
//   spoolcat check SPOOL                          every batch and record; exit 1 if something is
//                                                 damaged
//   spoolcat export SPOOL ID|--all [-o DIR] [--lf] messages as .eml: added headers, dots un-stuffed
//   spoolcat purge SPOOL FILTER|--all [--dry-run]  recipients that are not to be sent any more
//
// It takes the spool's lock, so it never works under a running daemon. Only purge changes anything
// (tools/spoolcat_purge.h).
// Exit: 0 good, 1 damaged or not found, 2 wrong usage or no spool.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "queue/message_id.h"
#include "queue/message_meta.h"
#include "queue/message_state.h"
#include "queue/spool/offline_log.h"
#include "queue/spool/spool_lock.h"
#include "tools/spoolcat_purge.h"

namespace {

namespace fs = std::filesystem;
using outbox::queue::FormatMessageId;
using outbox::queue::MetaView;
using outbox::queue::OfflineLog;
using outbox::queue::OfflineMessage;
using outbox::queue::ParseMessageId;
using outbox::queue::StatePart;
using outbox::queue::StateView;

constexpr int kGood = 0;
constexpr int kDamaged = 1;
constexpr int kNoSpool = 2;

struct Options {
  std::string spool;
  bool json = false;
  bool all = false;
  bool lf = false;
  std::optional<uint64_t> id;
  std::string directory = ".";
  outbox::tools::PurgeOptions purge;
};

// All logs of a spool; empty when there is none.
std::vector<std::string> LogsOf(const std::string& spool) {
  std::vector<std::string> logs;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(spool, error)) {
    if (entry.is_directory() && entry.path().filename().string().starts_with("log-")) {
      logs.push_back(entry.path().string());
    }
  }
  std::sort(logs.begin(), logs.end());
  return logs;
}

std::string Text(std::string_view text) { return std::string(text); }

// `purged`: of them, those that are removed when their time is over (outbox purge).
uint32_t Pending(const MetaView& meta, const StateView& state, uint32_t* purged,
                 uint32_t* attempts, std::string* last_reply) {
  if (state.untouched()) return meta.recipient_count();
  uint32_t pending = 0;
  StatePart part;
  for (uint32_t at = 0; state.Next(&at, &part);) {
    pending += static_cast<uint32_t>(std::popcount(part.mask));
    if ((part.flags & outbox::queue::kPartPurged) != 0) {
      *purged += static_cast<uint32_t>(std::popcount(part.mask));
    }
    *attempts = std::max<uint32_t>(*attempts, part.attempts);
    *last_reply = (part.code > 0 ? std::to_string(part.code) + " " : "") + Text(part.text);
  }
  return pending;
}

void ListOne(const OfflineMessage& message, bool json) {
  const auto meta = MetaView::Parse(message.meta);
  if (!meta) return;
  const auto parsed = StateView::Parse(message.state);
  const StateView state = parsed ? *parsed : StateView();
  uint32_t purged = 0;
  uint32_t attempts = 0;
  std::string last_reply;
  const uint32_t pending = Pending(*meta, state, &purged, &attempts, &last_reply);
  if (!json) {
    const std::string of_them = purged > 0 ? ", " + std::to_string(purged) + " purged" : "";
    std::string original;
    if (meta->has_original()) {
      original = "  re-routed from " + FormatMessageId(meta->original_id()) + " <" +
                 Text(meta->original_reverse_path()) + "> ->";
      meta->ForEachOriginal([&](std::string_view to) { original += " <" + Text(to) + ">"; });
    }
    std::printf("%s  %llu bytes  from <%s>  %u of %u recipients pending%s  first <%s>  %s%s\n",
                FormatMessageId(message.id).c_str(),
                static_cast<unsigned long long>(meta->smtp_size()),
                Text(meta->reverse_path()).c_str(), pending, meta->recipient_count(),
                of_them.c_str(), Text(meta->Recipient(0)).c_str(), last_reply.c_str(),
                original.c_str());
    return;
  }
  nlohmann::json recipients = nlohmann::json::array();
  for (uint32_t i = 0; i < meta->recipient_count(); ++i)
    recipients.push_back(Text(meta->Recipient(i)));
  nlohmann::json line = {{"id", FormatMessageId(message.id)},
                               {"sender", Text(meta->reverse_path())},
                               {"client", Text(meta->client())},
                               {"recipients", recipients},
                               {"pending", pending},
                               {"purged", purged},
                               {"attempts", attempts},
                               {"last_reply", last_reply},
                               {"size", meta->smtp_size()},
                               {"accepted_ns", meta->accepted_wall_ns()},
                               {"generated", meta->generated()}};
  if (meta->has_original()) {
    nlohmann::json original = nlohmann::json::array();
    meta->ForEachOriginal([&](std::string_view address) { original.push_back(Text(address)); });
    line["original"] = {{"id", FormatMessageId(meta->original_id())},
                        {"sender", Text(meta->original_reverse_path())},
                        {"recipients", original}};
  }
  std::puts(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

// Undoes RFC 5321 4.5.2: one dot at the start of a line goes, and so does the final dot line.
std::string Unstuff(std::string_view wire, bool lf) {
  std::string out;
  out.reserve(wire.size());
  size_t at = 0;
  while (at < wire.size()) {
    const size_t end = wire.find("\r\n", at);
    std::string_view line = wire.substr(at, end == std::string_view::npos ? end : end - at);
    at = end == std::string_view::npos ? wire.size() : end + 2;
    if (line == "." && at == wire.size()) break;
    if (line.starts_with('.')) line.remove_prefix(1);
    out.append(line).append(lf ? "\n" : "\r\n");
  }
  return out;
}

bool ExportOne(const OfflineLog& log, const OfflineMessage& message, const Options& options) {
  const auto meta = MetaView::Parse(message.meta);
  const auto body = log.Body(message);
  if (!meta || !body.ok()) {
    std::fprintf(stderr, "spoolcat: %s\n", body.status().message().c_str());
    return false;
  }
  // The prefix has no dots to remove and no final dot line.
  std::string prefix(meta->prefix());
  if (options.lf) std::erase(prefix, '\r');
  const fs::path path = fs::path(options.directory) / (FormatMessageId(message.id) + ".eml");
  errno = 0;
  std::ofstream out(path, std::ios::binary);
  out << prefix << Unstuff(*body, options.lf);
  out.close();
  if (!out) {
    std::fprintf(stderr, "spoolcat: cannot write %s: %s\n", path.c_str(), std::strerror(errno));
    return false;
  }
  std::puts(path.c_str());
  return true;
}

int Check(const std::string& path, const OfflineLog& log) {
  std::vector<std::string> damages = log.damages();
  for (const auto& [id, message] : log.messages()) {
    const auto body = log.Body(message);
    if (!body.ok()) damages.push_back(body.status().message());
    if (!message.state.empty() && !StateView::Parse(message.state)) {
      damages.push_back("message " + FormatMessageId(id) + ": state damaged");
    }
  }
  std::printf(
      "%s: %llu segments (%llu free), %llu batches, %llu records, %llu torn, %zu messages, "
      "%zu damages\n",
      path.c_str(), static_cast<unsigned long long>(log.segments()),
      static_cast<unsigned long long>(log.segments_free()),
      static_cast<unsigned long long>(log.batches()),
      static_cast<unsigned long long>(log.records()),
      static_cast<unsigned long long>(log.torn_records()), log.messages().size(), damages.size());
  for (const std::string& damage : damages) std::printf("  %s\n", damage.c_str());
  return damages.empty() ? kGood : kDamaged;
}

int Run(const std::string& command, const Options& options) {
  const std::vector<std::string> logs = LogsOf(options.spool);
  if (logs.empty()) {
    std::fprintf(stderr, "spoolcat: no spool in %s\n", options.spool.c_str());
    return kNoSpool;
  }
  outbox::queue::SpoolLock lock;
  const outbox::core::Status locked = lock.Take(options.spool);
  if (!locked.ok()) {
    const bool running = locked.code() == outbox::core::StatusCode::kUnavailable;
    std::fprintf(stderr, "spoolcat: %s%s\n", locked.message().c_str(),
                 running && command == "purge"
                     ? ": nothing was changed; while outboxd runs, use outbox purge"
                     : "");
    return kNoSpool;
  }
  if (command == "purge") {
    return PurgeSpool(logs, options.purge) ? kGood : kDamaged;
  }
  int result = kGood;
  bool found = false;
  for (const std::string& path : logs) {
    OfflineLog log;
    const outbox::core::Status status = log.Read(path);
    if (!status.ok()) {
      std::fprintf(stderr, "spoolcat: %s\n", status.message().c_str());
      return kNoSpool;
    }
    if (command == "check") {
      result = std::max(result, Check(path, log));
      continue;
    }
    for (const auto& [id, message] : log.messages()) {
      if (command == "list") {
        ListOne(message, options.json);
      } else if (options.all || id == options.id) {
        found = true;
        if (!ExportOne(log, message, options)) result = kDamaged;
      }
    }
  }
  if (command == "export" && !options.all && !found) {
    std::fprintf(stderr, "spoolcat: no message %s\n", FormatMessageId(*options.id).c_str());
    return kDamaged;
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Shows, checks, exports and purges a spool while outboxd is down."};
  app.require_subcommand(1);
  app.set_version_flag("--version", "spoolcat " OUTBOX_VERSION);
  Options options;
  CLI::App* list = app.add_subcommand("list", "One line a message");
  list->add_flag("--json", options.json, "One JSON object a line");
  CLI::App* check =
      app.add_subcommand("check", "Checks every record; exit 1 if something is damaged");
  CLI::App* exported = app.add_subcommand("export", "Writes messages as .eml files");
  CLI::App* purge = outbox::tools::AddPurge(&app, &options.purge);
  for (CLI::App* command : {list, check, exported, purge}) {
    command->add_option("spool", options.spool, "The spool directory")->required();
  }
  std::string id;
  exported->add_option("id", id, "The message, as list shows it");
  exported->add_flag("--all", options.all, "All messages");
  exported->add_flag("--lf", options.lf, "Lines end in LF, not in CRLF");
  exported->add_option("-o,--output", options.directory, "Where the files go");
  try {
    app.parse(argc, argv);
    if (purge->parsed()) outbox::tools::CheckPurge(&options.purge);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kGood : kNoSpool;
  }
  options.id = ParseMessageId(id);
  if (exported->parsed() && !options.all && !options.id.has_value()) {
    std::fprintf(stderr, "spoolcat: export needs a message's id, as list shows it, or --all\n");
    return kNoSpool;
  }
  return Run(app.get_subcommands().front()->get_name(), options);
}
