#pragma once

#include "peer/chunker/chunker.hpp"

#include <functional>

namespace ppsp::peer {

/// From transport stream to units: measures the rate first if nobody knows it, chooses the size of
/// a unit, then cuts. Pure: time comes in as an argument.
class UnitFeed {
public:
    struct Options {
        Duration unit_time = std::chrono::milliseconds{50};
        Duration measure_time = std::chrono::seconds{2};
        std::size_t measure_bytes_max = std::size_t{16} << 20;
        ChunkId next{};                        ///< first chunk that was never published
        std::uint32_t chunks_per_unit = 0;     ///< 0 = not fixed yet
        std::optional<std::uint64_t> rate_bps; ///< of the whole stream, where somebody knows it
    };
    /// What is fixed when cutting begins.
    struct Chosen {
        std::uint32_t chunks_per_unit = 0;
        ChunkId first{};
        Duration unit_duration{};
    };

    explicit UnitFeed(Options const& options) : options_(options) {}

    /// The encoder told its rate; of no effect once cutting has begun.
    void set_rate(std::uint64_t rate_bps);
    void append(TimePoint now, Bytes ts);
    /// End of stream.
    void finish(TimePoint now);
    /// Nullopt while measuring.
    [[nodiscard]] std::optional<Chosen> const& chosen() const { return chosen_; }
    [[nodiscard]] std::optional<CutUnit> poll(TimePoint now);
    [[nodiscard]] std::optional<TimePoint> deadline() const;
    /// First chunk that has not been cut yet.
    [[nodiscard]] ChunkId next_chunk() const;

private:
    void begin(TimePoint now);
    [[nodiscard]] std::uint64_t measured_bps(TimePoint now) const;

    Options options_;
    std::optional<TimePoint> first_data_;
    ByteVector measured_;
    std::optional<Chosen> chosen_;
    std::optional<Chunker> chunker_;
};

} // namespace ppsp::peer
