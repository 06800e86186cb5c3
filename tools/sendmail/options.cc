#include "tools/sendmail/options.h"

#include <unistd.h>

#include <cstring>
#include <string_view>

#include "core/domain_name.h"

namespace outbox::tools {
namespace {

core::Status Usage(const std::string& what) {
  return core::Status(core::StatusCode::kInvalidArgument, what);
}

// "failure,delay" as NOTIFY= wants it, RFC 3461 4.1.
core::Status ReadNotify(std::string_view text, std::string* out) {
  std::string rest(text);
  rest.push_back(',');
  for (size_t at = 0; at < rest.size();) {
    const size_t comma = rest.find(',', at);
    const std::string word = core::ToLower(rest.substr(at, comma - at));
    const bool never = word == "never" && rest.size() == word.size() + 1;
    if (!never && word != "success" && word != "failure" && word != "delay") {
      return Usage("-N " + std::string(text) +
                   ": expected never, or some of success, failure, delay");
    }
    if (!out->empty()) out->push_back(',');
    for (const char c : word) out->push_back(static_cast<char>(c & ~0x20));
    at = comma + 1;
  }
  return core::OkStatus();
}

// RFC 3461 4.4 and 4: at most 100 characters, in xtext.
core::Status ReadEnvelopeId(std::string_view text, std::string* out) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : text) {
    if (c <= ' ' || c >= 0x7f) return Usage("-V: expected printable characters without blanks");
    if (c == '+' || c == '=') {
      out->push_back('+');
      out->push_back(kHex[static_cast<uint8_t>(c) >> 4]);
      out->push_back(kHex[static_cast<uint8_t>(c) & 15]);
    } else {
      out->push_back(c);
    }
  }
  if (out->empty() || out->size() > 100) return Usage("-V: expected 1 to 100 characters");
  return core::OkStatus();
}

core::Status ReadMode(std::string_view mode, SendmailOptions* options) {
  if (mode == "m" || mode == "a") {
    options->mode = SendmailMode::kDeliver;
  } else if (mode == "s") {
    options->mode = SendmailMode::kSession;
  } else if (mode == "p") {
    options->mode = SendmailMode::kQueue;
  } else if (mode == "i") {
    options->mode = SendmailMode::kNothing;
  } else {
    return Usage("-b" + std::string(mode) +
                 " is not there; expected -bm, -bs, -bp or -bi. The daemon is outboxd");
  }
  return core::OkStatus();
}

// -o and -O: of all that can be set, two things mean something here.
void ReadSetting(std::string_view text, bool long_form, SendmailOptions* options) {
  if (long_form) {
    const std::string setting = core::ToLower(text);
    if (setting == "ignoredots" || setting == "ignoredots=true") options->dot_ends = false;
  } else if (text == "i") {
    options->dot_ends = false;
  }
}

core::Status ReadOne(int option, const char* value, SendmailOptions* options) {
  switch (option) {
    case 'b':
      return ReadMode(value, options);
    case 'F':
      options->full_name = value;
      return core::OkStatus();
    case 'f':
    case 'r':
      options->has_sender = true;
      options->sender = value;
      return core::OkStatus();
    case 'i':
      options->dot_ends = false;
      return core::OkStatus();
    case 't':
      options->recipients_in_header = true;
      return core::OkStatus();
    case 'I':
    case 'q':
      options->mode = SendmailMode::kNothing;
      return core::OkStatus();
    case 'N':
      return ReadNotify(value, &options->notify);
    case 'R': {
      const std::string ret = core::ToLower(std::string_view(value));
      if (ret != "full" && ret != "hdrs") return Usage("-R: expected full or hdrs");
      options->ret = ret == "full" ? "FULL" : "HDRS";
      return core::OkStatus();
    }
    case 'V':
      return ReadEnvelopeId(value, &options->envelope_id);
    case 'o':
    case 'O':
      ReadSetting(value, option == 'O', options);
      return core::OkStatus();
    case '?':
      return Usage("unknown option, or one without its value");
    default:  // taken and forgotten
      return core::OkStatus();
  }
}

}  // namespace

core::Result<SendmailOptions> ReadSendmailOptions(int argc, char** argv) {
  SendmailOptions options;
  const char* const slash = argc > 0 ? std::strrchr(argv[0], '/') : nullptr;
  const std::string_view name = slash != nullptr ? slash + 1 : argc > 0 ? argv[0] : "";
  if (name == "mailq") options.mode = SendmailMode::kQueue;
  if (name == "newaliases") options.mode = SendmailMode::kNothing;
  opterr = 0;
  optind = 0;  // from the beginning, whatever was read before
  // Everything that sendmail, Postfix and Exim take; "q" with what stands right behind it.
  static constexpr char kOptions[] = "+A:B:C:D:F:GIL:M:N:O:R:UV:X:b:cd::e:f:h:imno:p:q::r:stvx:";
  for (int option = 0; (option = ::getopt(argc, argv, kOptions)) != -1;) {
    const core::Status status = ReadOne(option, optarg != nullptr ? optarg : "", &options);
    if (!status.ok()) {
      const bool unknown = option == '?';
      return unknown ? Usage("-" + std::string(1, static_cast<char>(optopt)) + ": " +
                             status.message())
                     : status;
    }
  }
  for (int i = optind; i < argc; ++i) options.recipients.emplace_back(argv[i]);
  return options;
}

}  // namespace outbox::tools
