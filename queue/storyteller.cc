#include "queue/storyteller.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "core/time.h"
#include "core/time_format.h"
#include "queue/directory.h"
#include "queue/message_id.h"

namespace outbox::queue {

// A message on its way from the disk, and what will be said of it.
struct Storyteller::Reading {
  Storyteller* teller = nullptr;
  Store* store = nullptr;
  Facts facts;
  std::array<std::string, 8> texts;  // those of `facts`
  FetchOp op;

  void OnDone(const core::Status& status, Window window) { teller->OnRead(this, status, window); }
};

Storyteller::Storyteller(io::Io* io, core::EventLog* events) : io_(io), events_(events) {}

Storyteller::~Storyteller() { CHECK(idle()); }

void Storyteller::Tell(const HomeTicket& ticket, const Story& story, const NameSource& names) {
  if (!events_->Wants(story.level)) return;
  Facts facts;
  facts.level = story.level;
  facts.event = story.event;
  facts.wall_ns = io_->wall_ns();
  facts.id = ticket.message_id;
  facts.mask = ticket.mask;
  facts.first = ticket.first;
  facts.group = ticket.group;
  facts.attempts = ticket.attempts;
  facts.delay_ms = std::max<int64_t>(0, io_->now_ns() - ticket.accepted_ns) / core::kNsPerMs;
  facts.next_attempt_wall_ns = story.next_attempt_wall_ns;
  facts.destination = ticket.destination->key;
  facts.from = story.from;
  facts.route = story.route;
  facts.until_wall_ns = story.until_wall_ns;
  facts.by = story.by;
  facts.reason = story.reason;
  facts.into = story.into;
  if (ticket.reply != nullptr) {
    facts.replied = true;
    facts.code = ticket.reply->code();
    facts.mailhost = ticket.reply->mailhost();
    facts.status = ticket.reply->enhanced();
    facts.reply = ticket.reply->text();
  }
  if (TellNow(ticket, facts, names)) return;
  if (names.readable && waiting_.size() < core::kStoryWaitingMax) {
    Read(ticket, facts);
  } else {
    WriteNameless(facts);
  }
}

bool Storyteller::TellNow(const HomeTicket& ticket, const Facts& facts, const NameSource& names) {
  if (names.meta != nullptr) {
    WriteOf(facts, *names.meta);
    return true;
  }
  if (names.result != nullptr) {
    const auto is_ours = [&facts](const RecipientResult& failed) {
      return failed.recipient >= facts.first && failed.recipient - facts.first < 64 &&
             (facts.mask >> (failed.recipient - facts.first) & 1) != 0 && !failed.address.empty();
    };
    const std::vector<RecipientResult>& failed = names.result->failed;
    if (std::count_if(failed.begin(), failed.end(), is_ours) == std::popcount(facts.mask)) {
      Write(facts, [&](auto&& name) {
        for (const RecipientResult& one : failed) {
          if (is_ours(one)) name(one.address);
        }
      });
      return true;
    }
  }
  if (!names.readable) return false;
  const Window window = ticket.store->Lease(ticket.message);
  if (!window) return false;
  const std::optional<MetaView> meta = MetaView::Parse(window.bytes());
  if (meta.has_value()) WriteOf(facts, *meta);
  ticket.store->Return(window);
  return meta.has_value();
}

// --- Reading -------------------------------------------------------------------------------------

void Storyteller::Read(const HomeTicket& ticket, const Facts& facts) {
  if (free_.empty()) {
    readings_.push_back(std::make_unique<Reading>());
    readings_.back()->teller = this;
    readings_.back()->op.Bind<&Reading::OnDone>(readings_.back().get());
    free_.push_back(readings_.back().get());
  }
  Reading* const reading = free_.back();
  free_.pop_back();
  reading->store = ticket.store;
  reading->facts = facts;
  Facts& kept = reading->facts;
  std::string_view* const texts[] = {&kept.destination, &kept.mailhost, &kept.status, &kept.reply,
                                     &kept.from,        &kept.route,    &kept.by,     &kept.reason};
  for (size_t i = 0; i < reading->texts.size(); ++i) {
    reading->texts[i].assign(*texts[i]);
    *texts[i] = reading->texts[i];
  }
  if (reading_ < core::kStoryReadsMax) {
    StartReading(reading);
  } else {
    waiting_.push_back(reading);
  }
}

void Storyteller::StartReading(Reading* reading) {
  Message* const message = reading->store->Find(reading->facts.id);
  if (message == nullptr) {  // finished while this waited
    WriteNameless(reading->facts);
    free_.push_back(reading);
    return;
  }
  ++reading_;
  reading->op.message = message;
  reading->op.part = 0;
  reading->store->Fetch(&reading->op);
}

void Storyteller::OnRead(Reading* reading, const core::Status& status, Window window) {
  std::optional<MetaView> meta;
  if (status.ok()) meta = MetaView::Parse(window.bytes());
  if (meta.has_value()) {
    WriteOf(reading->facts, *meta);
  } else {
    WriteNameless(reading->facts);
  }
  if (window) reading->store->Return(window);
  free_.push_back(reading);
  --reading_;
  while (!waiting_.empty() && reading_ < core::kStoryReadsMax) {
    Reading* const next = waiting_.front();
    waiting_.pop_front();
    StartReading(next);
  }
}

// --- The line ------------------------------------------------------------------------------------

void Storyteller::WriteOf(const Facts& facts, const MetaView& meta) {
  if (facts.group >= meta.group_count()) return WriteNameless(facts);  // damaged
  const GroupView group = meta.Group(facts.group);
  Write(facts, [&](auto&& name) {
    meta.ForEachRecipient(group, [&](uint32_t index, std::string_view to) {
      if (index < facts.first || index - facts.first >= 64) return;
      if ((facts.mask >> (index - facts.first) & 1) != 0) name(to);
    });
  });
}

void Storyteller::WriteNameless(const Facts& facts) {
  Write(facts, [](auto&&) {});
}

template <typename ForEach>
void Storyteller::Write(const Facts& facts, ForEach&& for_each_name) {
  char id[kMessageIdChars];
  core::EventLog::Event line =
      events_->Write(facts.level, facts.wall_ns, facts.event, FormatMessageId(facts.id, id));
  if (!facts.route.empty()) line.Field("route", facts.route);
  line.Field("destination", facts.destination);
  if (!facts.from.empty()) line.Field("from", facts.from);
  if (facts.into != 0) line.Field("into", FormatMessageId(facts.into));
  line.Field("recipients", std::popcount(facts.mask)).Field("attempts", facts.attempts);
  if (facts.replied) {
    line.Field("mailhost", facts.mailhost);
    if (facts.code > 0) line.Field("code", facts.code);
    if (!facts.status.empty()) line.Field("status", facts.status);
    line.Field("reply", facts.reply);
  }
  line.Field("delay_ms", facts.delay_ms);
  if (facts.next_attempt_wall_ns > 0) {
    std::array<char, core::kRfc3339Bytes> buffer;
    line.Field("next_attempt", core::FormatRfc3339(facts.next_attempt_wall_ns, buffer));
  }
  if (facts.until_wall_ns > 0) {
    std::array<char, core::kRfc3339Bytes> buffer;
    line.Field("until", core::FormatRfc3339(facts.until_wall_ns, buffer));
  }
  if (!facts.by.empty()) line.Field("by", facts.by);
  if (!facts.reason.empty()) line.Field("reason", facts.reason);
  // Last, since it is what may be too long for a line.
  bool any = false;
  for_each_name([&](std::string_view name) {
    if (!any) line.BeginList("to");
    any = true;
    line.Item(name);
  });
  if (any) line.EndList();
}

}  // namespace outbox::queue
