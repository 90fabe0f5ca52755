#pragma once

#include "peer/chunker/ts_packet.hpp"
#include "protocol/base/bytes.hpp"
#include "protocol/base/ids.hpp"
#include "protocol/base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

namespace ppsp::peer {

inline constexpr std::size_t chunk_bytes = 1024;
inline constexpr std::size_t chunks_per_unit_min = 8;
/// The first datagram of a unit carries its signature and one hash per tree level; above 64 chunks
/// it would not fit a 1500-byte path.
inline constexpr std::size_t chunks_per_unit_max = 64;

/// The power of two from 8 to 64 whose unit lasts nearest to `unit_time` at this rate; the smaller
/// of two that are equally near, because it is earlier at the viewer.
[[nodiscard]] std::size_t choose_chunks_per_unit(std::uint64_t bits_per_second,
                                                 Duration unit_time = std::chrono::milliseconds{
                                                     50}) noexcept;

/// How long a unit of this size lasts at this rate; an hour at most, also for rate 0.
[[nodiscard]] Duration unit_duration(std::size_t chunks_per_unit,
                                     std::uint64_t bits_per_second) noexcept;

/// The first chunk at or after `next` where a source may start: 47 units are the smallest whole
/// number of units that transport packets divide whatever the size of a unit.
[[nodiscard]] ChunkId restart_chunk(ChunkId next, std::size_t chunks_per_unit) noexcept;

/// Where the first transport packet begins in a chunk, counted from the chunk's first byte.
[[nodiscard]] std::size_t first_packet_offset(ChunkId chunk) noexcept;

/// One signed subtree's worth of the stream.
struct CutUnit {
    ByteVector payload; ///< exactly chunks_per_unit x 1024 bytes
    ChunkId first{};
    /// A viewer may start in here: at `random_access_offset` begins a PAT, the PMT follows, and
    /// then a key frame (which may end in a later unit). The first such place if there are several.
    bool random_access = false;
    std::size_t random_access_offset = 0;
};

struct ChunkerConfig {
    std::size_t chunks_per_unit = 16;                   ///< power of two, 8..64
    ChunkId first{};                                    ///< as `restart_chunk` gives it
    Duration unit_time = std::chrono::milliseconds{50}; ///< as the rate promises it
};

/// Cuts a transport stream into units. Byte position in the stream = chunk number x 1024, and
/// transport packets begin at the multiples of 188 of that position, so that anybody who joins
/// finds them by arithmetic. A unit that must leave before it is full is filled with null packets,
/// the last of which may reach into the next unit. Null packets of the input are left out: they
/// would be paid for by every uplink.
class Chunker {
public:
    /// A unit leaves when no data came for this long (RFC 7574 §6.1.2.1 signs whole subtrees only).
    static constexpr Duration idle_close = std::chrono::milliseconds{250};
    /// A unit leaves this many unit times after its first byte.
    static constexpr int age_close_units = 4;
    /// Cut units that nobody polled; 2 s of 60 Mbit/s at 64 chunks. What comes then is dropped.
    static constexpr std::size_t ready_units_max = 256;

    explicit Chunker(ChunkerConfig const& config);

    /// Takes bytes of the stream in any pieces. `now` never goes back.
    void append(TimePoint now, Bytes ts);
    /// End of stream: what is there leaves as a unit.
    void finish();
    /// The next unit that is full or overdue; call until empty.
    [[nodiscard]] std::optional<CutUnit> poll(TimePoint now);
    /// When the unit under construction becomes overdue.
    [[nodiscard]] std::optional<TimePoint> deadline() const;

    /// First chunk that has not been cut yet.
    [[nodiscard]] ChunkId next_chunk() const noexcept { return open_.first; }
    [[nodiscard]] ts::ProgramMap const& program() const noexcept { return program_; }
    /// Null packets added, in bytes.
    [[nodiscard]] std::uint64_t padding_bytes() const noexcept { return padding_bytes_; }
    /// Bytes that were no transport packets.
    [[nodiscard]] std::uint64_t skipped_bytes() const noexcept;
    /// Packets lost because `ready_units_max` was reached.
    [[nodiscard]] std::uint64_t dropped_packets() const noexcept { return dropped_packets_; }

private:
    void take(TimePoint now, Bytes packet);
    void note_random_access(ts::Packet const& packet);
    void mark_random_access(std::uint64_t position);
    void write(Bytes bytes);
    void pad();
    void close();
    [[nodiscard]] std::uint64_t position() const noexcept;

    std::size_t unit_bytes_;
    std::uint64_t chunks_per_unit_;
    Duration age_close_;
    ts::PacketAligner aligner_;
    ts::ProgramMap program_;
    CutUnit open_;
    std::deque<CutUnit> ready_;
    std::optional<TimePoint> first_data_; ///< of the open unit; none while it holds only padding
    TimePoint last_data_{};
    std::optional<std::uint64_t> pat_position_;   ///< newest PAT
    std::optional<std::uint64_t> start_position_; ///< newest PAT that a PMT followed
    std::uint64_t padding_bytes_ = 0;
    std::uint64_t bad_packets_ = 0;
    std::uint64_t dropped_packets_ = 0;
};

} // namespace ppsp::peer
