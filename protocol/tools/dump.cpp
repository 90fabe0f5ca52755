#include "protocol/tools/dump.hpp"

#include <array>
#include <chrono>
#include <cinttypes>
#include <cstdio>

namespace ppsp::tools {
namespace {

using namespace wire;

/// Bytes of a chunk that are shown; hashes, signatures and swarm ids are shown whole.
constexpr std::size_t payload_bytes_shown = 16;
constexpr std::int64_t micros_per_second = 1'000'000;

std::string channel_text(ChannelId channel)
{
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "0x%08" PRIx32, to_number(channel));
    return text.data();
}

std::string range_text(ChunkRange range)
{
    std::string const first = std::to_string(to_number(range.first));
    return range.first == range.last ? first : first + ".." + std::to_string(to_number(range.last));
}

std::string payload_text(Bytes payload)
{
    bool const is_long = payload.size() > payload_bytes_shown;
    return std::to_string(payload.size()) + " bytes " +
           to_hex(is_long ? payload.first(payload_bytes_shown) : payload) + (is_long ? "..." : "");
}

/// Takes the era that puts the time between 1968 and 2104 (RFC 4330 §3).
std::string ntp_text(NtpTime time)
{
    constexpr UnixMicros era_1_begins = 2'085'978'496 * micros_per_second;
    return utc_text(from_ntp(time, era_1_begins));
}

std::string seconds_text(UnixMicros time)
{
    std::array<char, 48> text{};
    auto const micros = static_cast<std::uint64_t>(time);
    std::snprintf(text.data(), text.size(), "%" PRIu64 ".%06" PRIu64,
                  micros / static_cast<std::uint64_t>(micros_per_second),
                  micros % static_cast<std::uint64_t>(micros_per_second));
    return text.data();
}

std::string window_text(std::uint64_t window)
{
    return window == discard_window_all ? "all" : std::to_string(window);
}

std::string chunk_size_text(std::uint32_t size)
{
    return size == chunk_size_variable ? "variable" : std::to_string(size);
}

std::string supported_text(SupportedMessages const& types)
{
    std::string text;
    for (std::size_t type = 0; type < types.size(); ++type) {
        if (!types[type]) {
            continue;
        }
        text += text.empty() ? "" : " ";
        text += type <= 13 ? std::string(name_of(static_cast<MessageType>(type)))
                           : std::to_string(type);
    }
    return text.empty() ? "nothing" : text;
}

std::string options_text(Options const& options)
{
    std::string text;
    auto const add = [&text](std::string_view label, std::string_view value) {
        text.append(", ").append(label).append(" ").append(value);
    };
    if (options.version) {
        add("version", std::to_string(*options.version));
    }
    if (options.minimum_version) {
        add("minimum version", std::to_string(*options.minimum_version));
    }
    if (options.swarm_id) {
        add("swarm", to_hex(*options.swarm_id));
    }
    if (options.integrity_method) {
        add("integrity", name_of(*options.integrity_method));
    }
    if (options.hash_function) {
        add("hash", name_of(*options.hash_function));
    }
    if (options.signature_algorithm) {
        add("signature", name_of(*options.signature_algorithm));
    }
    if (options.addressing) {
        add("addressing", name_of(*options.addressing));
    }
    if (options.discard_window) {
        add("discard window", window_text(*options.discard_window));
    }
    if (options.supported_messages) {
        add("supports", supported_text(*options.supported_messages));
    }
    if (options.chunk_size) {
        add("chunk size", chunk_size_text(*options.chunk_size));
    }
    return text;
}

/// What stands behind the name of a message.
struct Fields {
    std::string operator()(Handshake const& m) const
    {
        bool const closing = to_number(m.source) == 0;
        return (closing ? " closing" : " from " + channel_text(m.source)) + options_text(m.options);
    }
    std::string operator()(Data const& m) const
    {
        return " " + range_text(m.chunks) + ", sent at " + seconds_text(m.sent_at) + " s, " +
               payload_text(m.payload);
    }
    std::string operator()(Ack const& m) const
    {
        return " " + range_text(m.chunks) + ", one-way delay " +
               std::to_string(m.one_way_delay.count()) + " us";
    }
    std::string operator()(Have const& m) const { return " " + range_text(m.chunks); }
    std::string operator()(Integrity const& m) const
    {
        return " " + range_text(m.chunks) + ", hash " + to_hex(m.hash);
    }
    std::string operator()(SignedIntegrity const& m) const
    {
        return " " + range_text(m.chunks) + ", signed at " + ntp_text(m.signed_at) +
               ", signature " + to_hex(m.signature);
    }
    std::string operator()(Request const& m) const { return " " + range_text(m.chunks); }
    std::string operator()(Cancel const& m) const { return " " + range_text(m.chunks); }
    std::string operator()(Choke const&) const { return {}; }
    std::string operator()(Unchoke const&) const { return {}; }
    std::string operator()(PexRequest const&) const { return {}; }
    std::string operator()(PexResponse const& m) const { return " " + m.peer.text(); }
    std::string operator()(PexCertificate const& m) const
    {
        return " " + payload_text(m.certificate);
    }
};

} // namespace

std::string utc_text(UnixMicros time)
{
    using namespace std::chrono;
    auto const since_epoch = microseconds{time};
    auto const day = floor<days>(since_epoch);
    year_month_day const date{sys_days{day}};
    hh_mm_ss const clock{since_epoch - day};
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ",
                  static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                  static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()),
                  static_cast<int>(clock.subseconds().count()));
    return text.data();
}

std::string describe(Message const& message)
{
    return std::string(name_of(type_of(message))) + std::visit(Fields{}, message);
}

Description describe_datagram(Bytes datagram, SwarmFormat& format)
{
    Description description;
    DatagramReader reader(datagram, format);
    std::string const size = std::to_string(datagram.size()) + " bytes";
    if (!reader.destination()) {
        description.text = "not a PPSPP datagram, " + size + "\n";
        description.error = DecodeError::truncated;
        return description;
    }
    bool const is_keep_alive = datagram.size() == 4;
    description.text = "to " + channel_text(*reader.destination()) + ", " + size +
                       (is_keep_alive ? ", keep-alive\n" : "\n");
    for (;;) {
        std::size_t const at = datagram.size() - reader.remaining();
        auto const message = reader.next();
        format = reader.format();
        if (!message) {
            description.error = message.error();
            description.text += "  invalid from byte " + std::to_string(at) + ": " +
                                std::string(to_string(message.error())) + "\n";
            return description;
        }
        if (!*message) {
            return description;
        }
        description.text += "  " + describe(**message) + "\n";
    }
}

std::optional<ByteVector> parse_datagram(std::string_view text)
{
    std::string digits;
    for (char const c : text) {
        if (c == ' ' || c == '\t' || c == '\r' || c == ':') {
            continue;
        }
        if (digits.size() == 2 * datagram_size_max) {
            return std::nullopt;
        }
        digits.push_back(c);
    }
    return from_hex(digits);
}

} // namespace ppsp::tools
