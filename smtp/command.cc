#include "smtp/command.h"

#include <cstddef>

#include "core/utf8.h"

namespace outbox::smtp {
namespace {

struct VerbEntry {
  std::string_view name;
  Verb verb;
};

// In the order of how often they come. Extensions that we do not offer are known by name, so that
// the reply can be 502 and not 500 (RFC 5321 4.2.4).
constexpr VerbEntry kVerbs[] = {
    {"RCPT", Verb::kRcpt},
    {"MAIL", Verb::kMail},
    {"DATA", Verb::kData},
    {"EHLO", Verb::kEhlo},
    {"QUIT", Verb::kQuit},
    {"RSET", Verb::kRset},
    {"HELO", Verb::kHelo},
    {"NOOP", Verb::kNoop},
    {"VRFY", Verb::kVrfy},
    {"HELP", Verb::kHelp},
    {"STARTTLS", Verb::kStartTls},
    {"BDAT", Verb::kBdat},
    {"AUTH", Verb::kAuth},
    {"EXPN", Verb::kUnimplemented},
    {"ETRN", Verb::kUnimplemented},
    {"TURN", Verb::kUnimplemented},
    {"SEND", Verb::kUnimplemented},
    {"SOML", Verb::kUnimplemented},
    {"SAML", Verb::kUnimplemented},
    {"ATRN", Verb::kUnimplemented},
    {"LHLO", Verb::kUnimplemented},
    {"BURL", Verb::kUnimplemented},
    {"XCLIENT", Verb::kUnimplemented},
    {"XFORWARD", Verb::kUnimplemented},
};

constexpr EnhancedCode kSyntax{5, 5, 2};       // 5.5.2 syntax error
constexpr EnhancedCode kBadArgument{5, 5, 4};  // 5.5.4 invalid command arguments
constexpr EnhancedCode kBadRecipient{5, 1, 3};
constexpr EnhancedCode kBadSender{5, 1, 7};
constexpr EnhancedCode kNonAscii{5, 6, 7};

constexpr size_t kAuthValueMax = 500;  // RFC 4954 3 (8)
constexpr char kNeedsUtf8[] = "The address is not ASCII; it needs MAIL with SMTPUTF8";

// The line being parsed: `rest` is what has not been read, `line` the whole for columns.
struct Cursor {
  std::string_view line;
  std::string_view rest;

  uint16_t column() const { return static_cast<uint16_t>(line.size() - rest.size() + 1); }
  void SkipSpaces() {
    while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  }
};

void Refuse(Command* command, uint16_t code, EnhancedCode enhanced, const char* text,
            uint16_t column) {
  command->refusal = {code, enhanced, text};
  command->error_column = column;
}

Verb FindVerb(std::string_view word) {
  for (const VerbEntry& entry : kVerbs) {
    if (EqualsIgnoringCase(word, entry.name)) return entry.verb;
  }
  return Verb::kUnknown;
}

// RFC 1870: 1*20DIGIT. False when it is none, or beyond 64 bits.
bool ParseSize(std::string_view digits, uint64_t* out) {
  if (digits.empty() || digits.size() > 20) return false;
  uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return false;
    const uint64_t digit = static_cast<uint64_t>(c - '0');
    if (value > (UINT64_MAX - digit) / 10) return false;
    value = value * 10 + digit;
  }
  *out = value;
  return true;
}

// RFC 3461 4, as AUTH= has it: "<>" or xtext.
bool IsAuthValue(std::string_view value) {
  if (value == "<>") return true;
  return !value.empty() && value.size() <= kAuthValueMax && IsXtext(value);
}

// A parameter of RFC 3461 that is there for the first time, or not at all: refused else.
// The value stands behind `name` and "="; null: it does not.
bool TakeDsnValue(const DsnError& error, bool again, std::string_view name, std::string_view value,
                  uint16_t column, Command* command) {
  if (again) {
    Refuse(command, 501, kBadArgument, "The parameter is given twice", column);
  } else if (error.what != nullptr) {
    const size_t at = name.size() + (value.data() == nullptr ? 0 : 1 + error.at);
    Refuse(command, 501, kBadArgument, error.what, static_cast<uint16_t>(column + at));
  }
  return command->ok();
}

// One parameter of RCPT. False: refused.
bool TakeRcptParameter(std::string_view name, std::string_view value, uint16_t column,
                       Command* command) {
  RecipientDsn* dsn = &command->dsn;
  if (EqualsIgnoringCase(name, "NOTIFY")) {
    const bool again = dsn->notify != 0;
    return TakeDsnValue(ParseNotify(value, &dsn->notify), again, name, value, column, command);
  }
  if (EqualsIgnoringCase(name, "ORCPT")) {
    const bool again = !dsn->orcpt.empty();
    dsn->orcpt = value;
    return TakeDsnValue(CheckOrcpt(value), again, name, value, column, command);
  }
  Refuse(command, 555, kBadArgument, "RCPT parameter not recognized or not offered", column);
  return false;
}

// One parameter of MAIL; the value is null when there is no "=". False: refused.
bool TakeMailParameter(std::string_view name, std::string_view value, uint16_t column,
                       Command* command) {
  if (EqualsIgnoringCase(name, "SIZE")) {
    if (command->has_size || !ParseSize(value, &command->declared_size)) {
      Refuse(command, 501, kBadArgument, "SIZE takes one number of octets", column);
      return false;
    }
    command->has_size = true;
    return true;
  }
  if (EqualsIgnoringCase(name, "SMTPUTF8")) {
    if (command->smtp_utf8 || value.data() != nullptr) {
      Refuse(command, 501, kBadArgument, "SMTPUTF8 takes no value, and is given once", column);
      return false;
    }
    command->smtp_utf8 = true;
    return true;
  }
  if (EqualsIgnoringCase(name, "BODY")) {
    if (command->body == BodyType::kUnspecified && EqualsIgnoringCase(value, "7BIT")) {
      command->body = BodyType::k7Bit;
      return true;
    }
    if (command->body == BodyType::kUnspecified && EqualsIgnoringCase(value, "8BITMIME")) {
      command->body = BodyType::k8BitMime;
      return true;
    }
    if (EqualsIgnoringCase(value, "BINARYMIME")) {
      Refuse(command, 555, kBadArgument, "BODY=BINARYMIME is not offered; 7BIT and 8BITMIME are",
             column);
      return false;
    }
    Refuse(command, 501, kBadArgument, "BODY is 7BIT or 8BITMIME, given once", column);
    return false;
  }
  if (EqualsIgnoringCase(name, "AUTH")) {
    if (command->has_auth || !IsAuthValue(value)) {
      Refuse(command, 501, kBadArgument, "AUTH is <> or an address in xtext, given once", column);
      return false;
    }
    command->has_auth = true;
    return true;
  }
  if (EqualsIgnoringCase(name, "RET")) {
    const bool again = command->ret != DsnReturn::kUnspecified;
    return TakeDsnValue(ParseReturn(value, &command->ret), again, name, value, column, command);
  }
  if (EqualsIgnoringCase(name, "ENVID")) {
    const bool again = !command->envid.empty();
    command->envid = value;
    return TakeDsnValue(CheckEnvid(value), again, name, value, column, command);
  }
  Refuse(command, 555, kBadArgument, "MAIL parameter not recognized or not offered", column);
  return false;
}

void ParseParameters(Cursor* cursor, bool extended, Command* command) {
  while (true) {
    cursor->SkipSpaces();
    if (cursor->rest.empty()) return;
    const uint16_t column = cursor->column();
    if (!extended) {
      return Refuse(command, 555, kBadArgument, "Parameters need EHLO, not HELO", column);
    }
    const std::string_view word = cursor->rest.substr(0, cursor->rest.find(' '));
    cursor->rest.remove_prefix(word.size());
    const size_t equals = word.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
    const auto take = command->verb == Verb::kRcpt ? TakeRcptParameter : TakeMailParameter;
    if (!take(word.substr(0, equals), value, column, command)) return;
  }
}

// "FROM:<path> parameters" and "TO:<path> parameters".
void ParseMailOrRcpt(Cursor* cursor, bool extended, Command* command) {
  const bool mail = command->verb == Verb::kMail;
  const std::string_view keyword = mail ? "FROM:" : "TO:";
  cursor->SkipSpaces();
  if (!EqualsIgnoringCase(cursor->rest.substr(0, keyword.size()), keyword)) {
    return Refuse(command, 501, kBadArgument,
                  mail ? "Syntax: MAIL FROM:<address>" : "Syntax: RCPT TO:<address>",
                  cursor->column());
  }
  cursor->rest.remove_prefix(keyword.size());
  cursor->SkipSpaces();
  const ParsedPath parsed = mail ? ParseReversePath(cursor->rest) : ParseForwardPath(cursor->rest);
  if (!parsed.error.ok()) {
    const uint16_t column = static_cast<uint16_t>(cursor->column() + parsed.error.column - 1);
    return Refuse(command, 501, mail ? kBadSender : kBadRecipient, parsed.error.what, column);
  }
  command->path = parsed.path;
  if (parsed.utf8_column > 0) {
    command->utf8_column = static_cast<uint16_t>(cursor->column() + parsed.utf8_column - 1);
  }
  cursor->rest.remove_prefix(parsed.length);
  if (!cursor->rest.empty() && cursor->rest.front() != ' ') {
    return Refuse(command, 501, kBadArgument, "A space is expected behind the address",
                  cursor->column());
  }
  ParseParameters(cursor, extended, command);
  if (mail && command->ok() && command->utf8_column > 0 && !command->smtp_utf8) {
    RefuseUtf8(command);
  }
}

// RFC 6531 3.7.4.2: "VRFY address SMTPUTF8".
void ParseVrfy(const Cursor& cursor, Command* command) {
  constexpr std::string_view kUtf8 = "SMTPUTF8";
  std::string_view& what = command->argument;
  if (what.empty()) return Refuse(command, 501, kBadArgument, "Syntax: VRFY address", 0);
  const size_t space = what.rfind(' ');
  command->smtp_utf8 =
      space != std::string_view::npos && EqualsIgnoringCase(what.substr(space + 1), kUtf8);
  if (command->smtp_utf8) what = what.substr(0, space);
  const size_t utf8 = core::Utf8Prefix(what);
  if (utf8 < what.size()) {
    return Refuse(command, 501, kBadRecipient, "octets that are not UTF-8",
                  static_cast<uint16_t>(cursor.column() + utf8));
  }
  if (command->smtp_utf8 || core::IsAscii(what)) return;
  Refuse(command, 553, kNonAscii, kNeedsUtf8, 0);
}

// RFC 3030 2: 1*20DIGIT, and maybe LAST. A number beyond 64 bits is one that nobody takes.
void ParseBdat(Cursor* cursor, Command* command) {
  constexpr std::string_view kLast = "LAST";
  cursor->SkipSpaces();
  std::string_view digits = cursor->rest.substr(0, cursor->rest.find(' '));
  const size_t column = cursor->column();
  cursor->rest.remove_prefix(digits.size());
  cursor->SkipSpaces();
  const bool number =
      !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
  if (!number) {
    return Refuse(command, 501, kBadArgument, "Syntax: BDAT octets [LAST]",
                  static_cast<uint16_t>(column));
  }
  while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
  if (!ParseSize(digits, &command->chunk_size)) command->chunk_size = UINT64_MAX;
  command->last_chunk = EqualsIgnoringCase(cursor->rest, kLast);
  if (cursor->rest.empty() || command->last_chunk) return;
  Refuse(command, 501, kBadArgument, "Behind the number LAST is expected, or nothing",
         cursor->column());
}

// The client's name for itself goes into a Received field. RFC 5321 wants a domain or an address
// literal; clients say other things, and refusing a name never stopped spam (RFC 5321 4.1.4). What
// cannot be written into the field is refused.
bool IsUsableName(std::string_view name) {
  if (name.empty() || name.size() > kDomainOctetsMax) return false;
  for (const char c : name) {
    if (c <= ' ' || c >= 0x7f) return false;
    if (std::string_view("()<>@,;\"\\").find(c) != std::string_view::npos) return false;
  }
  return true;
}

}  // namespace

Command ParseCommand(std::string_view line, bool extended) {
  Command command;
  Cursor cursor{line, line};
  while (!cursor.rest.empty() && cursor.rest.back() == ' ') cursor.rest.remove_suffix(1);
  cursor.line = cursor.rest;
  const std::string_view word = cursor.rest.substr(0, cursor.rest.find(' '));
  cursor.rest.remove_prefix(word.size());
  command.verb = FindVerb(word);
  switch (command.verb) {
    case Verb::kMail:
    case Verb::kRcpt:
      ParseMailOrRcpt(&cursor, extended, &command);
      return command;
    case Verb::kBdat:
      ParseBdat(&cursor, &command);
      return command;
    case Verb::kUnknown:
      Refuse(&command, 500, kSyntax, "Command not recognized", 0);
      return command;
    case Verb::kUnimplemented:
      Refuse(&command, 502, {5, 5, 1}, "Command not implemented", 0);
      return command;
    default:
      break;
  }
  cursor.SkipSpaces();
  command.argument = cursor.rest;
  switch (command.verb) {
    case Verb::kEhlo:
    case Verb::kHelo:
      if (!IsUsableName(command.argument)) {
        const bool ascii = core::IsAscii(command.argument);
        Refuse(&command, 501, kBadArgument,
               ascii ? "A host name or an address literal is expected"
                     : "A host name in ASCII (with A-labels, xn--) is expected",
               cursor.column());
      }
      break;
    case Verb::kVrfy:
      ParseVrfy(cursor, &command);
      break;
    case Verb::kAuth:
      if (command.argument.empty()) {
        Refuse(&command, 501, kBadArgument, "Syntax: AUTH mechanism [initial-response]", 0);
      }
      break;
    case Verb::kData:
    case Verb::kRset:
    case Verb::kQuit:
    case Verb::kStartTls:
      if (!command.argument.empty()) {
        Refuse(&command, 501, kBadArgument, "The command takes no argument", cursor.column());
      }
      break;
    default:
      break;
  }
  return command;
}

void RefuseUtf8(Command* command) {
  Refuse(command, 553, kNonAscii, kNeedsUtf8, command->utf8_column);
}

const char* VerbName(Verb verb) {
  switch (verb) {
    case Verb::kUnimplemented:
      return "unimplemented";
    case Verb::kUnknown:
      return "unknown";
    default:
      break;
  }
  for (const VerbEntry& entry : kVerbs) {
    if (entry.verb == verb) return entry.name.data();
  }
  return "unknown";
}

}  // namespace outbox::smtp
