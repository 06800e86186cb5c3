#include "tools/talk_answer.h"

#include <optional>
#include <utility>

namespace outbox::tools {
namespace {

// What is read of a file at a time, and what a shard copies between two of its turns.
constexpr size_t kFilePieceBytes = size_t{256} << 10;
constexpr size_t kRingPieceBytes = size_t{128} << 10;

}  // namespace

TalkAnswer::~TalkAnswer() {
  if (open_ != nullptr) std::fclose(open_);
}

void TalkAnswer::Start(std::vector<queue::Shard*> shards, std::vector<std::string> files) {
  shards_ = std::move(shards);
  files_ = std::move(files);
  Later(&TalkAnswer::ReadFile);
}

void TalkAnswer::Later(void (TalkAnswer::*step)()) {
  server_->Post([self = shared_from_this(), step] {
    if (!self->reply_->gone()) (self.get()->*step)();
  });
}

void TalkAnswer::ReadFile() {
  if (open_ == nullptr) {
    if (file_ == files_.size()) {
      ReadShard();
      return;
    }
    open_ = std::fopen(files_[file_++].c_str(), "re");
    rest_.clear();
    if (open_ == nullptr) {  // there has been no failure yet
      Later(&TalkAnswer::ReadFile);
      return;
    }
  }
  std::string piece(kFilePieceBytes, '\0');
  piece.resize(std::fread(piece.data(), 1, piece.size(), open_));
  if (piece.empty()) std::fclose(std::exchange(open_, nullptr));
  rest_ += piece;
  size_t at = 0;
  for (size_t newline = rest_.find('\n'); newline != std::string::npos;
       newline = rest_.find('\n', at)) {
    TakeLine(std::string_view(rest_).substr(at, newline - at));
    at = newline + 1;
  }
  rest_.erase(0, at);
  Later(&TalkAnswer::ReadFile);
}

void TalkAnswer::TakeLine(std::string_view line) {
  // Most lines need not be understood.
  if (!filter_.id.empty() && line.find(filter_.id) == std::string_view::npos) return;
  std::optional<TalkRecord> record = TalkFromDisk(line);
  if (record.has_value()) Keep(std::move(*record));
}

void TalkAnswer::ReadShard() {
  if (shard_ == shards_.size()) {
    Print();
    return;
  }
  shards_[shard_]->Post([self = shared_from_this(), from = from_](queue::Shard* shard) {
    uint64_t next = from;
    auto piece = std::make_shared<const std::string>(shard->talk().Copy(&next, kRingPieceBytes));
    self->server_->Post([self, piece, next] {
      if (!self->reply_->gone()) self->OnPiece(*piece, next);
    });
  });
}

void TalkAnswer::OnPiece(const std::string& piece, uint64_t next) {
  from_ = next;
  if (piece.empty()) {
    ++shard_;
    from_ = 0;
  }
  std::string_view rest = piece;
  queue::TalkFacts facts;
  std::string_view lines;
  while (queue::TalkRing::Next(&rest, &facts, &lines)) Keep(TalkFromRing(facts, lines));
  ReadShard();
}

void TalkAnswer::Keep(TalkRecord record) {
  if (!filter_.Wants(record)) return;
  Key key(record.end_ms, record.id, record.mailhost);
  if (!found_.emplace(std::move(key), std::move(record)).second) return;
  ++matches_;
  if (found_.size() > filter_.limit) found_.erase(found_.begin());
}

void TalkAnswer::Print() {
  while (!found_.empty()) {
    if (reply_->full()) {
      reply_->WhenReady([self = shared_from_this()] {
        if (!self->reply_->gone()) self->Print();
      });
      return;
    }
    reply_->Send(TalkToJson(found_.begin()->second));
    found_.erase(found_.begin());
  }
  reply_->Finish({{"found", matches_}, {"end", true}});
}

}  // namespace outbox::tools
