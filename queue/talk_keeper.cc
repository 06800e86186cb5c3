#include "queue/talk_keeper.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/limits.h"
#include "core/time.h"
#include "queue/message_id.h"

namespace outbox::queue {

TalkKeeper::TalkKeeper(io::Io* io, core::ShardMetrics* metrics, size_t memory, Writer writer)
    : io_(io),
      metrics_(metrics),
      writer_(std::move(writer)),
      ring_(memory),
      failed_(core::LogLevel::kInfo, core::kTalkBufferBytes) {
  op_.Bind<&TalkKeeper::OnWritten>(this);
}

TalkKeeper::~TalkKeeper() {
  if (!taken_.empty()) failed_.Release();
}

void TalkKeeper::Keep(TalkFacts facts, const smtp::Dialogue& dialogue) {
  facts.wall_ns = io_->wall_ns();
  facts.session_ms = dialogue.size() == 0
                         ? 0
                         : static_cast<uint32_t>((io_->now_ns() - dialogue.started_ns) /
                                                 core::kNsPerMs);
  ring_.Add(facts, dialogue);
  if (facts.failed && writer_) KeepFailed(facts, dialogue);
}

// The members are those that tools/talk_record.h reads.
void TalkKeeper::KeepFailed(const TalkFacts& facts, const smtp::Dialogue& dialogue) {
  std::string bytes(dialogue.first);
  bytes.append(dialogue.second);
  std::string lines;
  smtp::DialogueReader reader(bytes);
  for (smtp::DialogueReader::Line line; reader.Next(&line);) {
    if (!lines.empty()) lines += '\n';
    lines += std::to_string(line.at_ms);
    lines += ' ';
    lines += line.who;
    lines += ' ';
    lines += line.text;
  }
  char id[kMessageIdChars];
  failed_
      .Write(core::LogLevel::kInfo, facts.wall_ns, "talk", FormatMessageId(facts.message_id, id))
      .Field("session_ms", facts.session_ms)
      .Field("destination", facts.destination)
      .Field("mailhost", facts.mailhost)
      .Field("outcome", facts.outcome)
      .Field("lines", lines);
  CountLost();
}

void TalkKeeper::CountLost() {
  metrics_->talk_lost_total.Set(static_cast<int64_t>(failed_.dropped_total()) + refused_);
}

void TalkKeeper::Flush(bool all) {
  if (op_.in_flight || (!all && failed_.waiting_bytes() < core::kTalkBufferBytes / 4)) return;
  taken_ = failed_.Take();
  if (taken_.empty()) return;
  io_->RunOnHelper(&op_, [this] { return writer_(taken_) ? 0 : -1; });
}

void TalkKeeper::OnWritten(const io::OpResult& result) {
  if (result.result < 0) refused_ += std::count(taken_.begin(), taken_.end(), '\n');
  CountLost();
  taken_ = {};
  failed_.Release();
}

}  // namespace outbox::queue
