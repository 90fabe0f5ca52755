#include "protocol/decade/ni_name.hpp"
#include "tests/protocol/decade_objects.hpp"
#include "tests/support/properties.hpp"

namespace ppsp::decade {
namespace {

using test::Channel;
using test::OwnedUnit;
using test::views_of;

constexpr ObjectFormat small{wire::AddressingMode::chunk32, 16, 4};

class UnitObjectTest : public testing::Test {
protected:
    [[nodiscard]] Result<void, ObjectFault> verify(Bytes object, Bytes swarm)
    {
        auto const view = read_object(object);
        EXPECT_TRUE(view.has_value());
        return verify_object(*view, swarm, *channel.hasher, checker);
    }
    /// A unit of the vectors (512-byte chunks, 4 a unit) with a signature for 32-bit ranges.
    [[nodiscard]] std::vector<OwnedUnit> vector_units(std::uint64_t algorithm, std::size_t count)
    {
        std::vector<OwnedUnit> units;
        for (auto const& set : live.at("sets").as_array()) {
            if (vectors::number(set.at("nchunks_per_sig")) != 4) {
                continue;
            }
            for (auto const& munro : set.at("munros").as_array()) {
                for (auto const& one : munro.at("signatures").as_array()) {
                    if (vectors::number(one.at("algorithm")) == algorithm &&
                        vectors::number(one.at("cam")) == 2 && units.size() < count) {
                        units.push_back(to_unit(munro, one));
                    }
                }
            }
        }
        return units;
    }
    static OwnedUnit to_unit(boost::json::value const& munro, boost::json::value const& signature)
    {
        auto const first = vectors::number(munro.at("first_chunk"));
        auto const last = vectors::number(munro.at("last_chunk"));
        auto const all = vectors::pattern(6144, 1);
        auto const time = vectors::bytes(munro.at("ntp64"));
        return {{ChunkId{first}, ChunkId{last}},
                NtpTime{*ByteReader(time).u64()},
                vectors::bytes(signature.at("signature")),
                ByteVector(all.begin() + static_cast<std::ptrdiff_t>(first * 512),
                           all.begin() + static_cast<std::ptrdiff_t>((last + 1) * 512))};
    }

    Channel channel;
    integrity::OpensslChecker checker;
    boost::json::value live = vectors::load("live_umt.json");
};

TEST_F(UnitObjectTest, bytes_equal_the_vectors_and_verify_with_the_public_key_alone)
{
    ObjectFormat const format{wire::AddressingMode::chunk32, 512, 4};
    auto const known = vectors::load("unit_object.json");
    for (auto const& row : known.at("rows").as_array()) {
        auto const algorithm = vectors::number(row.at("algorithm"));
        auto const* const key = algorithm == 13 ? "swarm_id_p256" : "swarm_id_ed25519";
        auto const swarm = vectors::bytes(live.at("keys").at(key));
        auto const units = vector_units(algorithm, vectors::number(row.at("units")));
        auto const object = write_object(format, swarm, views_of(units));
        ASSERT_TRUE(object.has_value()) << to_string(object.error());
        EXPECT_EQ(object->size(), vectors::number(row.at("size")));
        auto const head = vectors::bytes(row.at("head_hex"));
        ASSERT_LE(head.size(), object->size());
        EXPECT_TRUE(std::equal(head.begin(), head.end(), object->begin()));
        EXPECT_EQ(NiName::of(*channel.hasher, *object).uri(), vectors::text(row.at("ni")));
        EXPECT_TRUE(verify(*object, swarm).has_value());
    }
}

TEST_F(UnitObjectTest, what_is_written_is_read_back)
{
    auto const object = channel.object(10, 3);
    auto const view = read_object(object);
    ASSERT_TRUE(view.has_value());
    auto const& head = view->head;
    EXPECT_EQ(head.format, ObjectFormat{});
    EXPECT_TRUE(std::equal(head.swarm_id.begin(), head.swarm_id.end(), channel.id.begin()));
    EXPECT_EQ(head.chunks(), (ChunkRange{ChunkId{160}, ChunkId{207}}));
    ASSERT_EQ(head.units.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
        auto const unit = channel.unit(10 + i);
        EXPECT_EQ(head.units[i].chunks, unit.chunks);
        EXPECT_EQ(head.units[i].signed_at, unit.signed_at);
        auto const payload = view->unit_payload(i);
        EXPECT_TRUE(std::equal(payload.begin(), payload.end(), unit.payload.begin()));
        EXPECT_EQ(payload.data(), object.data() + head.unit_offset(i));
    }
    EXPECT_TRUE(verify(object, channel.id).has_value());
}

TEST_F(UnitObjectTest, the_head_can_be_read_before_the_payload_came)
{
    auto const object = channel.object(0, 4);
    auto const whole = read_head(object);
    ASSERT_TRUE(whole.has_value());
    for (std::size_t size = 0; size < whole->size; ++size) {
        auto const head = read_head(Bytes(object).first(size));
        ASSERT_FALSE(head.has_value()) << size;
        EXPECT_EQ(head.error(), ObjectError::truncated) << size;
    }
    auto const head = read_head(Bytes(object).first(whole->size));
    ASSERT_TRUE(head.has_value());
    EXPECT_EQ(head->object_size(), object.size());
    // One unit of it, as a range request gives it.
    auto const tree =
        verify_unit(*head, 2, Bytes(object).subspan(head->unit_offset(2), head->unit_bytes()),
                    *channel.hasher, checker);
    ASSERT_TRUE(tree.has_value());
    EXPECT_EQ(tree->chunks(), head->units[2].chunks);
}

TEST_F(UnitObjectTest, a_blank_head_becomes_the_real_one_record_by_record)
{
    auto const object = channel.object(40, 3);
    auto const real = read_head(object);
    ASSERT_TRUE(real);
    std::size_t const signature = real->units.front().signature.size();
    ByteVector head = blank_head(real->format, real->swarm_id, signature,
                                 real->units.front().chunks.first, real->units.size());
    auto const blank = read_head(head);
    ASSERT_TRUE(blank);
    ASSERT_EQ(head.size(), real->size);
    EXPECT_EQ(blank->chunks(), real->chunks());
    std::size_t const record = 8 + 8 + signature;
    std::size_t const records = real->size - 3 * record;
    EXPECT_TRUE(std::equal(head.begin(), head.begin() + static_cast<std::ptrdiff_t>(records),
                           object.begin()));
    auto const second = static_cast<std::ptrdiff_t>(records + record);
    std::copy(object.begin() + second,
              object.begin() + second + static_cast<std::ptrdiff_t>(record), head.begin() + second);
    auto const partly = read_head(head);
    ASSERT_TRUE(partly);
    EXPECT_EQ(partly->units[1].signed_at, real->units[1].signed_at);
    EXPECT_TRUE(std::ranges::equal(partly->units[1].signature, real->units[1].signature));
    EXPECT_EQ(partly->units[2].signed_at, NtpTime{0});
}

TEST_F(UnitObjectTest, an_object_is_whole_or_refused)
{
    auto object = channel.object(0, 2, small);
    for (std::size_t size = 0; size < object.size(); ++size) {
        auto const view = read_object(Bytes(object).first(size));
        ASSERT_FALSE(view.has_value());
        EXPECT_EQ(view.error(), ObjectError::truncated) << size;
    }
    object.push_back(0);
    EXPECT_EQ(read_object(object).error(), ObjectError::trailing_bytes);
}

TEST_F(UnitObjectTest, every_changed_bit_is_noticed)
{
    auto const good = channel.object(3, 2, small);
    ASSERT_TRUE(verify(good, channel.id).has_value());
    for (std::size_t i = 0; i < good.size(); ++i) {
        auto bad = good;
        bad[i] ^= static_cast<std::uint8_t>(1U << (i % 8));
        auto const view = read_object(bad);
        EXPECT_FALSE(view && verify_object(*view, channel.id, *channel.hasher, checker)) << i;
    }
}

TEST_F(UnitObjectTest, fields_out_of_bounds_are_told_apart)
{
    auto const good = channel.object(3, 2, small);
    auto const error_with = [&good](std::size_t at, ByteVector const& bytes) {
        auto bad = good;
        std::copy(bytes.begin(), bytes.end(), bad.begin() + static_cast<std::ptrdiff_t>(at));
        auto const view = read_object(bad);
        return view ? std::optional<ObjectError>{} : view.error();
    };
    EXPECT_EQ(error_with(0, {'X'}), ObjectError::not_an_object);
    EXPECT_EQ(error_with(4, {2}), ObjectError::unsupported);
    EXPECT_EQ(error_with(5, {0}), ObjectError::unsupported); // SHA-1
    EXPECT_EQ(error_with(6, {0}), ObjectError::unsupported); // bins
    EXPECT_EQ(error_with(7, {1}), ObjectError::unsupported);
    EXPECT_EQ(error_with(8, {0, 0, 0, 0}), ObjectError::bad_size);
    EXPECT_EQ(error_with(8, {0, 0, 0x20, 1}), ObjectError::bad_size);
    EXPECT_EQ(error_with(12, {0, 3}), ObjectError::bad_size);
    EXPECT_EQ(error_with(12, {0, 1}), ObjectError::bad_size);
    EXPECT_EQ(error_with(12, {8, 0}), ObjectError::bad_size);
    EXPECT_EQ(error_with(14, {0, 0}), ObjectError::bad_size);
    EXPECT_EQ(error_with(14, {1, 1}), ObjectError::bad_size);
    EXPECT_EQ(error_with(16, {0, 0}), ObjectError::bad_size);
    EXPECT_EQ(error_with(16, {2, 0x1d}), ObjectError::bad_size);
    EXPECT_EQ(error_with(18, {0, 0}), ObjectError::bad_size);
    EXPECT_EQ(error_with(18, {2, 1}), ObjectError::bad_size);
    EXPECT_EQ(error_with(20, {99}), ObjectError::bad_swarm);
    EXPECT_EQ(error_with(20 + 65, {0, 0, 0, 13}), ObjectError::bad_range); // misaligned
    EXPECT_EQ(error_with(20 + 65, {0, 0, 0, 16, 0, 0, 0, 19}), ObjectError::bad_range); // a gap
    // The largest counts together would be 2 GiB: refused before anything is allocated.
    EXPECT_EQ(error_with(8, {0, 0, 0x20, 0, 4, 0, 1, 0}), ObjectError::bad_size);
}

TEST_F(UnitObjectTest, units_that_are_swapped_lost_or_doubled_are_refused)
{
    auto const first = channel.unit(4, small);
    auto const second = channel.unit(5, small);
    auto const third = channel.unit(6, small);
    auto const write = [this](std::vector<OwnedUnit> const& units) {
        auto const object = write_object(small, channel.id, views_of(units));
        return object ? std::optional<ObjectError>{} : object.error();
    };
    EXPECT_EQ(write({first, second, third}), std::nullopt);
    EXPECT_EQ(write({second, first}), ObjectError::bad_range);
    EXPECT_EQ(write({first, third}), ObjectError::bad_range);
    EXPECT_EQ(write({first, first}), ObjectError::bad_range);
    EXPECT_EQ(write({}), ObjectError::bad_size);
    auto misaligned = first;
    misaligned.chunks = {ChunkId{17}, ChunkId{20}};
    EXPECT_EQ(write({misaligned}), ObjectError::bad_range);
    auto shorter = second;
    shorter.payload.pop_back();
    EXPECT_EQ(write({first, shorter}), ObjectError::bad_size);
    auto unsigned_one = second;
    unsigned_one.signature.pop_back();
    EXPECT_EQ(write({first, unsigned_one}), ObjectError::bad_size);
}

TEST_F(UnitObjectTest, payloads_of_two_units_exchanged_do_not_verify)
{
    auto object = channel.object(4, 2, small);
    auto const head = read_head(object);
    std::swap_ranges(object.begin() + static_cast<std::ptrdiff_t>(head->unit_offset(0)),
                     object.begin() + static_cast<std::ptrdiff_t>(head->unit_offset(1)),
                     object.begin() + static_cast<std::ptrdiff_t>(head->unit_offset(1)));
    EXPECT_EQ(verify(object, channel.id).error(), ObjectFault::bad_signature);
}

TEST_F(UnitObjectTest, another_channels_object_is_refused_whoever_signed_it)
{
    Channel other;
    EXPECT_EQ(verify(other.object(0, 1, small), channel.id).error(), ObjectFault::other_swarm);
    // Its units under our name.
    std::vector<OwnedUnit> const units{other.unit(0, small)};
    auto const forged = write_object(small, channel.id, views_of(units));
    EXPECT_EQ(verify(*forged, channel.id).error(), ObjectFault::bad_signature);
}

TEST_F(UnitObjectTest, S6_1_2_4_times_do_not_go_back)
{
    auto first = channel.unit(0, small);
    auto second = channel.unit(1, small);
    second.signed_at = first.signed_at;
    channel.sign(second, small);
    auto object = write_object(small, channel.id, views_of({first, second}));
    EXPECT_TRUE(verify(*object, channel.id).has_value());
    second.signed_at = NtpTime{static_cast<std::uint64_t>(first.signed_at) - (1U << 20)};
    channel.sign(second, small);
    object = write_object(small, channel.id, views_of({first, second}));
    EXPECT_EQ(verify(*object, channel.id).error(), ObjectFault::time_reversed);
}

TEST_F(UnitObjectTest, other_keys_and_wide_ranges)
{
    ObjectFormat const wide{wire::AddressingMode::chunk64, 16, 4};
    for (auto const algorithm :
         {wire::SignatureAlgorithm::ecdsa_p384_sha384, wire::SignatureAlgorithm::ed25519}) {
        Channel other(algorithm);
        EXPECT_TRUE(verify(other.object(std::uint64_t{1} << 40, 2, wide), other.id).has_value());
    }
    auto narrow = channel.unit(0, small);
    narrow.chunks = {ChunkId{std::uint64_t{1} << 33}, ChunkId{(std::uint64_t{1} << 33) + 3}};
    EXPECT_EQ(write_object(small, channel.id, views_of({narrow})).error(), ObjectError::bad_range);
}

TEST_F(UnitObjectTest, the_largest_object_is_taken_and_one_unit_more_is_not)
{
    ObjectFormat const format{wire::AddressingMode::chunk32, 1024, 64};
    ByteVector const payload(64 * 1024);
    ByteVector const signature(64, 1);
    std::vector<SignedUnit> units;
    for (std::uint64_t i = 0; i < 256; ++i) {
        units.push_back({{ChunkId{i * 64}, ChunkId{i * 64 + 63}}, NtpTime{i}, signature, payload});
    }
    EXPECT_EQ(write_object(format, channel.id, units).error(), ObjectError::bad_size);
    units.pop_back();
    EXPECT_TRUE(write_object(format, channel.id, units).has_value());
}

RC_GTEST_PROP(UnitObjectProperty, any_bytes_are_read_without_harm, (ByteVector bytes))
{
    static Channel channel;
    static auto const good = channel.object(0, 2, small);
    // Half of the cases begin like an object.
    if (*rc::gen::arbitrary<bool>()) {
        auto const kept = *rc::gen::inRange<std::size_t>(0, good.size());
        bytes.insert(bytes.begin(), good.begin(), good.begin() + static_cast<std::ptrdiff_t>(kept));
    }
    auto const view = read_object(bytes);
    RC_ASSERT(!view || view->head.object_size() == bytes.size());
}

RC_GTEST_PROP(UnitObjectProperty, damaged_objects_never_verify, ())
{
    static Channel channel;
    static auto const good = channel.object(0, 3, small);
    static integrity::OpensslChecker checker;
    auto bad = good;
    auto const count = *rc::gen::inRange<std::size_t>(1, 5);
    for (std::size_t i = 0; i < count; ++i) {
        auto const at = *rc::gen::inRange<std::size_t>(0, bad.size());
        bad[at] = *rc::gen::arbitrary<std::uint8_t>();
    }
    auto const view = read_object(bad);
    bool const verifies =
        view && verify_object(*view, channel.id, *channel.hasher, checker).has_value();
    RC_ASSERT(verifies == (bad == good));
}

} // namespace
} // namespace ppsp::decade
