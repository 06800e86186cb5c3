// The daemon's answers to the control socket.
#include <filesystem>
#include <memory>
#include <string>

#include "core/limits.h"
#include "queue/message_id.h"
#include "tools/census_answer.h"
#include "tools/command_answer.h"
#include "tools/daemon.h"
#include "tools/daemon_seat.h"
#include "tools/preview_answer.h"
#include "tools/queue_answer.h"
#include "tools/route_answer.h"
#include "tools/route_order_request.h"
#include "tools/talk_answer.h"
#include "tools/why_answer.h"

namespace outbox::tools {
namespace {

// Percentiles since the start, and the counts behind them by the lower bounds of their buckets, so
// that a reader of two answers can tell what lay between.
nlohmann::json Durations(const std::vector<const core::ShardMetrics*>& shards,
                         core::DurationHistogram core::ShardMetrics::* which) {
  core::DurationCounts sum;
  for (const core::ShardMetrics* shard : shards) (shard->*which).AddTo(&sum);
  nlohmann::json buckets = nlohmann::json::array();
  for (size_t i = 0; i < core::DurationBuckets::kCount; ++i) {
    if (sum.count(i) == 0) continue;
    buckets.push_back({core::DurationBuckets::LowerBoundUs(i), sum.count(i)});
  }
  return {{"p50", sum.PercentileUs(0.50)},
          {"p99", sum.PercentileUs(0.99)},
          {"max", sum.max_ns() / 1000},
          {"buckets", buckets}};
}

queue::QueueOrder OrderOf(ControlCommand command) {
  switch (command) {
    case ControlCommand::kRemove:
      return queue::QueueOrder::kRemove;
    case ControlCommand::kHold:
      return queue::QueueOrder::kHold;
    case ControlCommand::kRelease:
      return queue::QueueOrder::kRelease;
    case ControlCommand::kPurge:
      return queue::QueueOrder::kPurge;
    case ControlCommand::kUndo:
      return queue::QueueOrder::kUndo;
    case ControlCommand::kBounce:
      return queue::QueueOrder::kBounce;
    default:
      return queue::QueueOrder::kRetry;
  }
}

}  // namespace

std::vector<queue::Shard*> Daemon::Shards() const {
  std::vector<queue::Shard*> shards;
  for (const auto& seat : seats_) shards.push_back(seat->shard.get());
  return shards;
}

void Daemon::Handle(const nlohmann::json& request, std::shared_ptr<ReplyStream> reply) {
  const core::Result<ControlRequest> parsed = ParseControlRequest(request);
  if (!parsed.ok()) {
    reply->Fail(parsed.status().message());
    return;
  }
  if (reply->read_only() && !IsForStatsSocket(parsed->command)) {
    reply->Fail("not permitted here: this is the read-only socket, which answers \"stats\" alone");
    return;
  }
  Answer(*parsed, reply);
}

void Daemon::Answer(const ControlRequest& request, const std::shared_ptr<ReplyStream>& reply) {
  if (stopping_ && request.command != ControlCommand::kStats &&
      request.command != ControlCommand::kStop) {
    reply->Fail("outboxd is stopping");
    return;
  }
  switch (request.command) {
    case ControlCommand::kStats:
      AnswerStats(reply);
      return;
    case ControlCommand::kQueue:
      AnswerQueue(request, reply);
      return;
    case ControlCommand::kWhy: {
      const auto answer =
          std::make_shared<WhyAnswer>(control_.get(), reply, Shards(), book_.list());
      if (request.filter.id != 0) {
        answer->AskMessage(request.filter.id);
      } else if (!request.filter.recipient.empty()) {
        answer->AskRecipient(request.filter.recipient);
      } else {
        answer->AskDomain(request.domain);
      }
      return;
    }
    case ControlCommand::kRetry:
    case ControlCommand::kRemove:
    case ControlCommand::kHold:
    case ControlCommand::kRelease:
    case ControlCommand::kPurge:
    case ControlCommand::kUndo:
    case ControlCommand::kBounce:
    case ControlCommand::kClear:
    case ControlCommand::kReroute:
      AnswerOrder(request, reply);
      return;
    case ControlCommand::kRoute:
      std::make_shared<RouteAnswer>(control_.get(), reply, config_, request.route)
          ->Ask(Shards()[0]);
      return;
    case ControlCommand::kReload:
      Reload(reply);
      return;
    case ControlCommand::kLog: {
      LogFilter filter;
      if (request.filter.id != 0) filter.id = queue::FormatMessageId(request.filter.id);
      filter.domain = request.domain;
      log_tail_.Follow(filter, reply);
      return;
    }
    case ControlCommand::kReport:
      AnswerReport(reply);
      return;
    case ControlCommand::kTalk:
      std::make_shared<TalkAnswer>(control_.get(), reply, request.talk)
          ->Start(Shards(), talk_file_.paths());
      return;
    case ControlCommand::kSuspend:
    case ControlCommand::kResume:
    case ControlCommand::kSuspended:
    case ControlCommand::kSites:
      AnswerAboutSites(request, reply);
      return;
    case ControlCommand::kStop:
      reply->Finish({{"stopping", true}});
      BeginStop("outbox stop");
      return;
  }
}

// The client reads the log itself.
void Daemon::AnswerReport(const std::shared_ptr<ReplyStream>& reply) {
  std::error_code error;
  std::string file = config_->log.file;
  if (!file.empty()) file = std::filesystem::absolute(file, error).string();
  const bool classic = config_->log.format == core::LogFormat::kClassic;
  reply->Finish(
      {{"log_file", file}, {"log_format", classic ? "classic" : "json"}, {"end", true}});
}

void Daemon::AnswerReroute(const ControlRequest& request,
                           const std::shared_ptr<ReplyStream>& reply) {
  const core::Status status = CheckRouteOrder(request.order, *config_);
  if (!status.ok()) return reply->Fail(status.message());
  std::make_shared<CommandAnswer>(control_.get(), reply)
      ->StartRedirect(Shards(), std::make_shared<queue::RouteOrder>(request.order), request.filter);
}

void Daemon::AnswerOrder(const ControlRequest& request,
                         const std::shared_ptr<ReplyStream>& reply) {
  const bool routes =
      request.command == ControlCommand::kClear || request.command == ControlCommand::kReroute;
  if (routes) return AnswerReroute(request, reply);
  const queue::OrderDetails details = {.undo_ns = config_->queue.undo_period_ns,
                                       .reason = request.reason,
                                       .by = reply->user()};
  if (request.dry_run) {
    const int64_t undo_ns = request.now ? 0 : details.undo_ns;
    std::make_shared<PreviewAnswer>(control_.get(), reply, undo_ns)
        ->Start(Shards(), request.filter);
    return;
  }
  const bool at_once = request.command == ControlCommand::kPurge && request.now;
  std::make_shared<CommandAnswer>(control_.get(), reply)
      ->Start(Shards(), at_once ? queue::QueueOrder::kRemove : OrderOf(request.command),
              request.filter, details);
}

void Daemon::AnswerStats(const std::shared_ptr<ReplyStream>& reply) {
  std::vector<const core::ShardMetrics*> shards;
  for (const auto& seat : seats_) shards.push_back(&seat->metrics);
  nlohmann::json answer;
  for (const core::MetricInfo& metric : core::MetricTable()) {
    answer[std::string(metric.name)] = core::SumMetric(metric, shards);
  }
  answer["commit_us"] = Durations(shards, &core::ShardMetrics::commit_time);
  answer["command_us"] = Durations(shards, &core::ShardMetrics::command_time);
  answer["command_turn_us"] = Durations(shards, &core::ShardMetrics::command_turn_time);
  answer["memory_bytes"] = ResidentBytes();
  answer["suspensions"] = book_.list()->all().size();
  answer["shards"] = shards_;
  answer["version"] = OUTBOX_VERSION;
  reply->Finish(answer);
}

void Daemon::AnswerQueue(const ControlRequest& request,
                         const std::shared_ptr<ReplyStream>& reply) {
  if (request.count || request.by.has_value()) {
    const uint32_t limit = request.limit > 0 ? request.limit : core::kQueueGroupsShown;
    std::make_shared<CensusAnswer>(control_.get(), reply, request.by, limit)
        ->Start(Shards(), request.filter);
    return;
  }
  queue::QueueQuery query;
  query.filter = request.filter;
  query.columns = request.columns;
  query.sort = request.sort;
  query.descending = request.descending;
  query.limit = request.limit;
  if (query.sort.has_value() && query.limit == 0) query.limit = core::kSortedLines;
  const auto wake = [this] {
    for (queue::Shard* const one : Shards()) one->Post([](queue::Shard*) {});
  };
  auto answer = std::make_shared<QueueAnswer>(control_.get(), reply, shards_, query, wake);
  answer->HoldUntilDone();
  for (queue::Shard* const to : Shards()) {
    to->Post([answer, query](queue::Shard* shard) {
      if (!shard->operations().List(query, answer.get())) answer->Refuse();
    });
  }
}

}  // namespace outbox::tools
