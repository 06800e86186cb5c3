#include "tools/load_message.h"

#include <charconv>
#include <cstring>

#include "core/check.h"
#include "core/random.h"

namespace outbox::tools {
namespace {

constexpr std::string_view kIdHeader = "X-Outbox-Id: ";
constexpr std::string_view kTimeHeader = "X-Outbox-Time: ";
constexpr std::string_view kHashHeader = "X-Outbox-Hash: ";
constexpr size_t kLineOctets = 76;

void AppendNumber(uint64_t number, std::string* out) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out->append(digits, static_cast<size_t>(end - digits));
}

void AppendHex(uint64_t number, std::string* out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) out->push_back(kDigits[(number >> shift) & 15]);
}

// Lines of lower-case letters; about every sixteenth begins with a dot, which wire form doubles.
std::string MakeBody(size_t bytes, core::Random* random) {
  std::string body;
  body.reserve(bytes + 2);
  while (body.size() + 2 < bytes) {
    const size_t line = std::min(kLineOctets, bytes - body.size() - 2);
    const size_t start = body.size();
    uint64_t letters = 0;
    for (size_t i = 0; i < line; ++i) {
      if (i % 8 == 0) letters = random->Next();
      body.push_back(static_cast<char>('a' + (letters & 255) % 26));
      letters >>= 8;
    }
    if (line >= 2 && random->Chance(1, 16)) body.replace(start, 2, "..");
    body.append("\r\n");
  }
  return body;
}

std::string Unstuffed(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  while (!text.empty()) {
    const size_t end = text.find('\n') + 1;
    plain.append(text.substr(text[0] == '.' ? 1 : 0, end - (text[0] == '.' ? 1 : 0)));
    text.remove_prefix(end);
  }
  return plain;
}

template <typename Number>
bool ParseNumber(std::string_view text, int base, Number* number) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), *number, base);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

// The value of a header of ours, or an empty view. Our names appear at the start of a line only.
std::string_view HeaderValue(std::string_view head, std::string_view name) {
  const void* found = memmem(head.data(), head.size(), name.data(), name.size());
  if (found == nullptr) return {};
  const size_t begin = static_cast<size_t>(static_cast<const char*>(found) - head.data());
  if (begin > 0 && head[begin - 1] != '\n') return {};
  const std::string_view rest = head.substr(begin + name.size());
  return rest.substr(0, rest.find('\r'));
}

}  // namespace

BodyPool::BodyPool(const std::vector<size_t>& sizes, bool unstuffed) {
  CHECK(!sizes.empty());
  // With one size, a handful of different bodies; of a large one two, so that neither memory nor
  // the processor's caches hold more than it takes for a message to differ from the one before.
  constexpr size_t kSmall = size_t{64} << 10;
  const size_t copies = sizes.size() > 1 ? 1 : sizes[0] <= kSmall ? 8 : 2;
  core::Random random(sizes.size());
  for (size_t copy = 0; copy < copies; ++copy) {
    for (const size_t size : sizes) {
      Body body;
      body.text = MakeBody(size, &random);
      body.hash.Update(body.text);
      if (unstuffed) body.plain = Unstuffed(body.text);
      bodies_.push_back(std::move(body));
    }
  }
}

std::vector<size_t> ParseSizes(std::string_view text) {
  if (text == "mixed") {
    std::vector<size_t> sizes;
    // 61 entries, a prime, so that sizes do not fall into step with domains or connections.
    for (size_t i = 0; i < 61; ++i) {
      if (i % 30 == 29) {
        sizes.push_back(size_t{256} << 10);
      } else if (i % 10 == 9) {
        sizes.push_back(size_t{48} << 10);
      } else {
        sizes.push_back(500 + 251 * ((i * 17) % 61));
      }
    }
    return sizes;
  }
  size_t unit = 1;
  if (text.ends_with("KiB")) unit = size_t{1} << 10;
  if (text.ends_with("MiB")) unit = size_t{1} << 20;
  if (unit > 1) text.remove_suffix(3);
  size_t number = 0;
  if (!ParseNumber(text, 10, &number) || number > (size_t{1} << 30) / unit) return {};
  return {number * unit};
}

void AppendRecipient(uint64_t id, uint32_t k, uint64_t domains, std::string_view suffix,
                     std::string* out) {
  out->push_back('u');
  AppendNumber(id, out);
  out->push_back('.');
  AppendNumber(k, out);
  out->append("@d");
  AppendNumber((id + k) % domains, out);
  out->push_back('.');
  out->append(suffix);
}

void AppendHead(uint64_t id, int64_t time_ns, uint64_t hash, std::string_view recipient,
                std::string* out) {
  out->append(kIdHeader);
  AppendNumber(id, out);
  out->append("\r\n").append(kTimeHeader);
  AppendNumber(static_cast<uint64_t>(time_ns), out);
  out->append("\r\n").append(kHashHeader);
  AppendHex(hash, out);
  out->append("\r\nMessage-ID: <");
  AppendNumber(id, out);
  out->append(
      "@sender.load.test>\r\nDate: Mon, 01 Jan 2024 00:00:00 +0000\r\n"
      "From: Sender <news@sender.load.test>\r\nTo: <");
  out->append(recipient);
  out->append(">\r\nSubject: Test message ");
  AppendNumber(id, out);
  out->append(
      "\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n"
      "\r\n");
}

void AppendTail(uint64_t id, std::string* out) {
  out->append("Message ");
  AppendNumber(id, out);
  out->append(" ends here.\r\n.\r\n");
}

std::optional<LoadHead> ParseHead(std::string_view head) {
  LoadHead result;
  if (!ParseNumber(HeaderValue(head, kIdHeader), 10, &result.id)) return std::nullopt;
  if (!ParseNumber(HeaderValue(head, kTimeHeader), 10, &result.time_ns)) return std::nullopt;
  if (!ParseNumber(HeaderValue(head, kHashHeader), 16, &result.hash)) return std::nullopt;
  return result;
}

std::optional<LoadRecipient> ParseRecipient(std::string_view address) {
  if (address.empty() || address[0] != 'u') return std::nullopt;
  const std::string_view local = address.substr(0, address.find('@'));
  const size_t dot = local.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  LoadRecipient result;
  if (!ParseNumber(local.substr(1, dot - 1), 10, &result.id)) return std::nullopt;
  if (!ParseNumber(local.substr(dot + 1), 10, &result.number)) return std::nullopt;
  return result;
}

}  // namespace outbox::tools
