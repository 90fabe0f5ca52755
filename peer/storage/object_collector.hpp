#pragma once

#include "protocol/decade/live_index.hpp"
#include "protocol/decade/unit_object.hpp"

namespace ppsp::peer {

/// A source's unit with what its munro was signed with.
struct CollectedUnit {
    ChunkRange chunks;
    NtpTime signed_at{};
    ByteVector signature;
    ByteVector payload;
    /// Where in the payload a viewer may start.
    std::optional<std::size_t> random_access_offset;
};

/// A whole object with its entry for the live index.
struct CollectedObject {
    decade::IndexedObject entry;
    ByteVector bytes;
};

/// Collects units into objects of about half a second and keeps the live index. Pure; not
/// thread-safe.
class ObjectCollector {
public:
    /// What an object holds: short enough to add little to the delay of who reads the newest one,
    /// long enough that a request pays.
    static constexpr Duration object_time = std::chrono::milliseconds{500};
    /// Objects in the index: a minute, the discard window of viewers.
    static constexpr std::size_t index_objects = 120;

    /// `hasher` gives SHA-256 and outlives the collector. Units last `unit_time`.
    ObjectCollector(decade::ObjectFormat format, ByteVector swarm_id, Duration unit_time,
                    integrity::Hasher& hasher);

    /// An object when one is full. A unit that does not follow the last one begins a new object;
    /// the one before it comes out as it is.
    [[nodiscard]] std::optional<CollectedObject> add(CollectedUnit unit, UnixMicros now);
    /// What is there, at the end of the stream.
    [[nodiscard]] std::optional<CollectedObject> finish(UnixMicros now);

    /// The index of the objects that came out so far; `sequence` grows with each call.
    [[nodiscard]] decade::LiveIndex index(UnixMicros now);
    [[nodiscard]] std::size_t units_per_object() const { return units_per_object_; }

private:
    decade::ObjectFormat format_;
    std::size_t units_per_object_;
    integrity::Hasher& hasher_;
    std::vector<CollectedUnit> units_;
    decade::LiveIndex index_;
};

} // namespace ppsp::peer
