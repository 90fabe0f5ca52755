#pragma once

#include "peer/engine/config.hpp"
#include "protocol/decade/live_index.hpp"
#include "protocol/decade/unit_object.hpp"

#include <deque>
#include <vector>

namespace ppsp::peer {

/// An object of the channel, as far as it is known.
struct MappedObject {
    UnitIndex first = 0;
    std::uint32_t units = 0;
    std::optional<decade::NiName> name; ///< from the index; else it is asked for by its chunks
    std::uint64_t bytes = 0;            ///< 0 = not known
    UnixMicros first_signed = 0;        ///< of its first unit; 0 = not known
    UnixMicros last_signed = 0;
    bool exists = false; ///< in an index, or somebody sent a part of it
    /// What proves a unit: its record in the object's head.
    struct Record {
        bool known = false;
        bool proven = false;    ///< the unit verified by it
        std::size_t server = 0; ///< who sent it
    };
    ByteVector head;             ///< empty while no record is known; the others are blank
    std::vector<Record> records; ///< by unit, while there is a head

    [[nodiscard]] UnitIndex last() const { return first + units - 1; }
};

/// Which object holds a unit. The newest ones are in no index that was read: a source makes objects
/// of equal length one after the other, so their chunks, and by them their aliases, are foretold.
class ObjectMap {
public:
    /// Objects that an index names and that were foretold since it was read; the oldest go.
    static constexpr std::size_t objects_max = 2 * decade::index_objects_max;
    /// Nothing is foretold further than that: the index is old then.
    static constexpr std::uint32_t foretold_max = 64;

    /// What the index says holds from now on; records are kept. Objects that are no whole units of
    /// `chunks_per_unit` are left out.
    void take(decade::LiveIndex const& index);
    [[nodiscard]] bool empty() const { return objects_.empty(); }
    [[nodiscard]] std::uint32_t chunks_per_unit() const { return chunks_per_unit_; }
    /// Known or foretold; nullptr for units before all objects, in a gap between two, or too far
    /// ahead. Valid until the next call.
    [[nodiscard]] MappedObject* find(UnitIndex unit);
    /// First unit, from this one on, that a known object holds; nullopt if none does.
    [[nodiscard]] std::optional<UnitIndex> next(UnitIndex unit) const;
    /// When the unit, or the first one after it that is in the index, was signed, by the index;
    /// nullopt for units after all of it.
    [[nodiscard]] std::optional<UnixMicros> signed_at(UnitIndex unit) const;
    /// Last unit of the newest object that is known to exist. Not if empty.
    [[nodiscard]] UnitIndex newest() const;
    /// Where the newest picture may start.
    [[nodiscard]] std::optional<ChunkId> random_access() const { return random_access_; }
    /// How far that was behind the newest object when the index was made.
    [[nodiscard]] Duration random_access_age() const
    {
        return Duration{newest_signed_ - random_access_signed_};
    }
    /// Units of an object as the source makes them now.
    [[nodiscard]] std::uint32_t units_per_object() const { return units_per_object_; }

private:
    std::uint32_t chunks_per_unit_ = 0;
    std::uint32_t units_per_object_ = 0;
    std::optional<ChunkId> random_access_;
    UnixMicros random_access_signed_ = 0;
    UnixMicros newest_signed_ = 0;
    std::deque<MappedObject> objects_; ///< ascending, without overlap
};

} // namespace ppsp::peer
