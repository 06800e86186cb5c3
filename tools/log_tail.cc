#include "tools/log_tail.h"

#include <algorithm>
#include <utility>

#include "core/idna.h"

namespace outbox::tools {
namespace {

std::string TextOf(const nlohmann::json& event, const char* member) {
  const auto found = event.find(member);
  return found != event.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

bool LogFilter::Wants(const nlohmann::json& event) const {
  if (!id.empty() && TextOf(event, "id") != id && TextOf(event, "about") != id) return false;
  if (domain.empty()) return true;
  const std::string at_domain = "@" + domain;
  if (core::AddressKey(TextOf(event, "recipient")).ends_with(at_domain)) return true;
  if (const auto to = event.find("to"); to != event.end() && to->is_array()) {
    for (const nlohmann::json& one : *to) {
      if (!one.is_string()) continue;
      if (core::AddressKey(one.get<std::string>()).ends_with(at_domain)) return true;
    }
  }
  const std::string destination = TextOf(event, "destination");
  return destination == "mx:" + domain || destination.starts_with("mx:" + domain + ":");
}

bool LogFilter::NamesNobody(const nlohmann::json& event) {
  return !event.contains("recipient") && !event.contains("to");
}

bool LogTail::IsWanted(Follower* follower, const nlohmann::json& event) {
  const bool wanted = follower->filter.Wants(event);
  if (follower->filter.domain.empty()) return wanted;
  const std::string id = TextOf(event, "id");
  if (id.empty()) return wanted;
  if (!wanted) return LogFilter::NamesNobody(event) && follower->messages.contains(id);
  if (follower->messages.insert(id).second) {
    follower->oldest.push_back(id);
    if (follower->oldest.size() > kLogTailMessages) {
      follower->messages.erase(follower->oldest.front());
      follower->oldest.pop_front();
    }
  }
  return true;
}

void LogTail::Publish(std::string_view lines) {
  if (!followed_.load(std::memory_order_acquire)) return;
  bool post = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (waiting_.size() + lines.size() > kLogTailBytes) {
      dropped_ += static_cast<uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
    } else {
      waiting_.append(lines);
    }
    post = !std::exchange(posted_, true);
  }
  if (post) server_->Post([this] { Hand(); });
}

void LogTail::Follow(LogFilter filter, std::shared_ptr<ReplyStream> reply) {
  std::erase_if(followers_, [](const auto& one) { return one->reply->gone(); });
  followers_.push_back(std::make_unique<Follower>(std::move(filter), std::move(reply)));
  followers_.back()->reply->Send({{"following", true}});
  followed_.store(true, std::memory_order_release);
}

void LogTail::Hand() {
  std::string lines;
  uint64_t dropped = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    lines.swap(waiting_);
    dropped = std::exchange(dropped_, 0);
    posted_ = false;
  }
  for (const auto& follower : followers_) follower->lost += dropped;
  for (size_t at = 0; at < lines.size();) {
    const size_t newline = std::min(lines.find('\n', at), lines.size());
    const std::string_view line = std::string_view(lines).substr(at, newline - at);
    at = newline + 1;
    const nlohmann::json event =
        nlohmann::json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
    if (!event.is_object()) continue;
    for (const auto& follower : followers_) Give(follower.get(), event);
  }
  std::erase_if(followers_, [](const auto& one) { return one->reply->gone(); });
  if (followers_.empty()) followed_.store(false, std::memory_order_release);
}

void LogTail::Give(Follower* follower, const nlohmann::json& event) {
  if (!IsWanted(follower, event)) return;
  if (follower->reply->full()) {
    ++follower->lost;
    return;
  }
  if (follower->lost > 0) {
    follower->reply->Send({{"lost", std::exchange(follower->lost, 0)}});
  }
  follower->reply->Send(event);
}

void LogTail::End() {
  followed_.store(false, std::memory_order_release);
  for (const auto& follower : followers_) {
    if (!follower->reply->gone()) follower->reply->Finish({{"end", true}});
  }
  followers_.clear();
}

}  // namespace outbox::tools
