#include "peer/chunker/ts_packet.hpp"

#include <algorithm>

namespace ppsp::ts {
namespace {

constexpr std::size_t header_size = 4;
constexpr std::size_t crc_size = 4;
constexpr std::uint8_t table_pat = 0;
constexpr std::uint8_t table_pmt = 2;

constexpr std::array<std::uint8_t, packet_size> make_null_packet()
{
    std::array<std::uint8_t, packet_size> packet{};
    packet.fill(0xff);
    packet[0] = sync_byte;
    packet[1] = 0x1f;
    packet[2] = 0xff;
    packet[3] = 0x10;
    return packet;
}

constexpr std::array<std::uint8_t, packet_size> null_packet_bytes = make_null_packet();

constexpr std::array<std::uint32_t, 256> make_crc_table()
{
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i << 24;
        for (int bit = 0; bit < 8; ++bit) {
            value = (value << 1) ^ ((value & 0x80000000U) != 0 ? 0x04c11db7U : 0U);
        }
        table[i] = value;
    }
    return table;
}

constexpr std::array<std::uint32_t, 256> crc_table = make_crc_table();

std::uint16_t u16_at(Bytes bytes, std::size_t at) noexcept
{
    return static_cast<std::uint16_t>((bytes[at] << 8) | bytes[at + 1]);
}

Pid pid_at(Bytes bytes, std::size_t at) noexcept
{
    return Pid{static_cast<std::uint16_t>(u16_at(bytes, at) & 0x1fff)};
}

/// 33 bits of program clock base and 9 bits of extension.
std::uint64_t pcr_at(Bytes bytes) noexcept
{
    std::uint64_t const base = (std::uint64_t{bytes[0]} << 25) | (std::uint64_t{bytes[1]} << 17) |
                               (std::uint64_t{bytes[2]} << 9) | (std::uint64_t{bytes[3]} << 1) |
                               (bytes[4] >> 7);
    return base * 300 + (u16_at(bytes, 4) & 0x1ff);
}

bool parse_adaptation(Bytes field, Packet& packet) noexcept
{
    if (field.empty() || field[0] + std::size_t{1} > field.size()) {
        return false;
    }
    std::size_t const length = field[0];
    if (length == 0) {
        return true;
    }
    std::uint8_t const flags = field[1];
    packet.discontinuity = (flags & 0x80) != 0;
    packet.random_access = (flags & 0x40) != 0;
    if ((flags & 0x10) != 0) {
        if (length < 7) {
            return false;
        }
        packet.pcr = pcr_at(field.subspan(2));
    }
    return true;
}

/// The table section that starts in this payload, if it is whole and its checksum is right.
std::optional<Bytes> section_of(Packet const& packet, std::uint8_t table_id) noexcept
{
    Bytes const payload = packet.payload;
    if (!packet.payload_start || payload.empty()) {
        return std::nullopt;
    }
    std::size_t const start = std::size_t{1} + payload[0];
    if (start + 8 > payload.size() || payload[start] != table_id) {
        return std::nullopt;
    }
    std::size_t const size = std::size_t{3} + (u16_at(payload, start + 1) & 0x0fff);
    if (size < 8 + crc_size || start + size > payload.size()) {
        return std::nullopt;
    }
    Bytes const section = payload.subspan(start, size);
    bool const is_current = (section[5] & 1) != 0;
    if (!is_current || section_crc(section) != 0) {
        return std::nullopt;
    }
    return section;
}

StreamKind kind_of(std::uint8_t stream_type) noexcept
{
    switch (stream_type) {
    case 0x01:
    case 0x02:
        return StreamKind::mpeg2_video;
    case 0x1b:
        return StreamKind::h264;
    case 0x24:
        return StreamKind::hevc;
    case 0x03:
    case 0x04:
    case 0x0f:
    case 0x11:
    case 0x81:
        return StreamKind::audio;
    case 0x06: // private data: Opus, AC-3 in DVB; told apart by descriptors, which are not needed
        return StreamKind::audio;
    default:
        return StreamKind::other;
    }
}

} // namespace

std::array<std::uint8_t, packet_size> const& null_packet() noexcept
{
    return null_packet_bytes;
}

std::optional<Packet> parse_packet(Bytes bytes) noexcept
{
    if (bytes.size() != packet_size || bytes[0] != sync_byte || (bytes[1] & 0x80) != 0) {
        return std::nullopt;
    }
    unsigned const control = (bytes[3] >> 4) & 3U;
    if (control == 0) {
        return std::nullopt;
    }
    Packet packet;
    packet.pid = pid_at(bytes, 1);
    packet.payload_start = (bytes[1] & 0x40) != 0;
    packet.continuity = bytes[3] & 0x0f;
    packet.has_payload = (control & 1) != 0;
    Bytes rest = bytes.subspan(header_size);
    if ((control & 2) != 0) {
        if (!parse_adaptation(rest, packet)) {
            return std::nullopt;
        }
        rest = rest.subspan(std::size_t{1} + rest[0]);
    }
    if (packet.has_payload) {
        packet.payload = rest;
    }
    return packet;
}

std::optional<std::uint64_t> presentation_time(Packet const& packet) noexcept
{
    Bytes const pes = packet.payload;
    if (!packet.payload_start || pes.size() < 14 || pes[0] != 0 || pes[1] != 0 || pes[2] != 1) {
        return std::nullopt;
    }
    bool const has_pts = (pes[7] & 0x80) != 0;
    if (!has_pts || pes[8] < 5) {
        return std::nullopt;
    }
    return ((std::uint64_t{pes[9]} >> 1 & 7) << 30) |
           ((u16_at(pes, 10) & std::uint64_t{0xfffe}) << 14) | (u16_at(pes, 12) >> 1);
}

std::uint32_t section_crc(Bytes bytes) noexcept
{
    std::uint32_t crc = 0xffffffffU;
    for (std::uint8_t const byte : bytes) {
        crc = (crc << 8) ^ crc_table[(crc >> 24) ^ byte];
    }
    return crc;
}

ProgramMap::Seen ProgramMap::learn(Packet const& packet)
{
    if (packet.pid == pat_pid) {
        auto const section = section_of(packet, table_pat);
        return section && learn_pat(*section) ? Seen::pat : Seen::other;
    }
    if (pmt_pid_ && packet.pid == *pmt_pid_) {
        auto const section = section_of(packet, table_pmt);
        return section && learn_pmt(*section) ? Seen::pmt : Seen::other;
    }
    return key_pid() == packet.pid ? Seen::key_stream : Seen::other;
}

std::optional<Pid> ProgramMap::key_pid() const noexcept
{
    return video_pid_ ? video_pid_ : audio_pid_;
}

bool ProgramMap::learn_pat(Bytes section)
{
    for (std::size_t at = 8; at + 4 + crc_size <= section.size(); at += 4) {
        bool const is_network_table = u16_at(section, at) == 0;
        if (!is_network_table) {
            pmt_pid_ = pid_at(section, at + 2);
            return true;
        }
    }
    return false;
}

bool ProgramMap::learn_pmt(Bytes section)
{
    std::size_t const end = section.size() - crc_size;
    if (end < 12) {
        return false;
    }
    video_pid_.reset();
    audio_pid_.reset();
    video_kind_ = StreamKind::other;
    std::size_t at = 12 + (u16_at(section, 10) & std::size_t{0x0fff});
    while (at + 5 <= end) {
        StreamKind const kind = kind_of(section[at]);
        Pid const pid = pid_at(section, at + 1);
        if (kind == StreamKind::audio && !audio_pid_) {
            audio_pid_ = pid;
        } else if (kind != StreamKind::audio && kind != StreamKind::other && !video_pid_) {
            video_pid_ = pid;
            video_kind_ = kind;
        }
        at += 5 + (u16_at(section, at + 3) & std::size_t{0x0fff});
    }
    return true;
}

void PacketAligner::push(Bytes bytes)
{
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(begin_));
    begin_ = 0;
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

std::optional<Bytes> PacketAligner::next()
{
    if (buffer_.size() - begin_ < packet_size) {
        return std::nullopt;
    }
    if (buffer_[begin_] != sync_byte) {
        in_sync_ = false;
    }
    if (!in_sync_ && !regain_sync()) {
        return std::nullopt;
    }
    Bytes const packet = Bytes{buffer_}.subspan(begin_, packet_size);
    begin_ += packet_size;
    return packet;
}

bool PacketAligner::regain_sync()
{
    while (buffer_.size() - begin_ > packet_size) {
        if (buffer_[begin_] == sync_byte && buffer_[begin_ + packet_size] == sync_byte) {
            in_sync_ = true;
            return true;
        }
        skip(1);
    }
    return false;
}

void PacketAligner::skip(std::size_t count) noexcept
{
    begin_ += count;
    skipped_bytes_ += count;
}

void PacketAligner::reset()
{
    skip(buffer_.size() - begin_);
    buffer_.clear();
    begin_ = 0;
    in_sync_ = true;
}

} // namespace ppsp::ts
