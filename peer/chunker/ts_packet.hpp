#pragma once

#include "protocol/base/bytes.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

/// MPEG-2 transport stream (ISO/IEC 13818-1) as far as finding places to start playing needs it.
/// Nothing in here trusts its input: what does not parse is "other".
namespace ppsp::ts {

inline constexpr std::size_t packet_size = 188;
inline constexpr std::uint8_t sync_byte = 0x47;

/// Packet identifier, 13 bits.
enum class Pid : std::uint16_t {};

inline constexpr Pid pat_pid{0};
inline constexpr Pid null_pid{0x1fff};

/// What a muxer sends when it has nothing to send.
[[nodiscard]] std::array<std::uint8_t, packet_size> const& null_packet() noexcept;

/// One transport packet, taken apart. `payload` points into the bytes that were parsed.
struct Packet {
    Pid pid{};
    bool payload_start = false; ///< a PES packet or a table begins here
    bool has_payload = false;
    std::uint8_t continuity = 0; ///< 4 bits, counts the packets with payload of a PID
    bool discontinuity = false;
    bool random_access = false;       ///< decoding may start with this PID here
    std::optional<std::uint64_t> pcr; ///< program clock reference in 27 MHz ticks
    Bytes payload;
};

/// Nullopt for bytes that are not one packet: wrong size, no sync byte, transport error flag set,
/// reserved adaptation control, or an adaptation field that does not fit.
[[nodiscard]] std::optional<Packet> parse_packet(Bytes bytes) noexcept;

/// Presentation time of the PES packet that starts in this payload, in 90 kHz ticks (33 bits).
[[nodiscard]] std::optional<std::uint64_t> presentation_time(Packet const& packet) noexcept;

/// Checksum of PAT and PMT sections; 0 over a section with its own checksum.
[[nodiscard]] std::uint32_t section_crc(Bytes bytes) noexcept;

enum class StreamKind : std::uint8_t { other, mpeg2_video, h264, hevc, audio };

/// Learns from PAT and PMT which packets carry the picture. Knows the first program only, and
/// tables that fit one packet: room for 30 streams.
class ProgramMap {
public:
    enum class Seen : std::uint8_t { other, pat, pmt, key_stream };

    /// Says what the packet was; tables with a wrong checksum count as other and change nothing.
    Seen learn(Packet const& packet);

    [[nodiscard]] std::optional<Pid> pmt_pid() const noexcept { return pmt_pid_; }
    [[nodiscard]] std::optional<Pid> video_pid() const noexcept { return video_pid_; }
    [[nodiscard]] StreamKind video_kind() const noexcept { return video_kind_; }
    [[nodiscard]] std::optional<Pid> audio_pid() const noexcept { return audio_pid_; }
    /// The stream whose random access counts: video, or audio where there is no video.
    [[nodiscard]] std::optional<Pid> key_pid() const noexcept;

private:
    [[nodiscard]] bool learn_pat(Bytes section);
    [[nodiscard]] bool learn_pmt(Bytes section);

    std::optional<Pid> pmt_pid_;
    std::optional<Pid> video_pid_;
    std::optional<Pid> audio_pid_;
    StreamKind video_kind_ = StreamKind::other;
};

/// Makes whole packets of a byte stream that may come in any pieces and with rubbish in it. After a
/// loss of sync, packets count again once two follow each other.
class PacketAligner {
public:
    void push(Bytes bytes);
    /// The next packet; the span is valid until the next call of any kind.
    [[nodiscard]] std::optional<Bytes> next();
    /// Bytes thrown away because no packet began there.
    [[nodiscard]] std::uint64_t skipped_bytes() const noexcept { return skipped_bytes_; }
    /// Forgets an unfinished packet; counts it as skipped.
    void reset();

private:
    [[nodiscard]] bool regain_sync();
    void skip(std::size_t count) noexcept;

    ByteVector buffer_;
    std::size_t begin_ = 0;
    bool in_sync_ = true;
    std::uint64_t skipped_bytes_ = 0;
};

} // namespace ppsp::ts
