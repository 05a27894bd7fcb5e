use super::*;

#[test]
fn headers() {
    /// What it is, its bytes, and its type, request id, content and padding lengths.
    type Row = (&'static str, [u8; 8], u8, u16, u16, u8);
    let rows: &[Row] = &[
        (
            "BEGIN_REQUEST",
            [1, 1, 0, 1, 0, 8, 0, 0],
            RecordType::BeginRequest.into(),
            1,
            8,
            0,
        ),
        (
            "the end of STDIN",
            [1, 5, 0, 1, 0, 0, 0, 0],
            RecordType::Stdin.into(),
            1,
            0,
            0,
        ),
        (
            "STDOUT, high bytes first",
            [1, 6, 0x12, 0x34, 0x56, 0x78, 0x9a, 0],
            RecordType::Stdout.into(),
            0x1234,
            0x5678,
            0x9a,
        ),
        (
            "the greatest numbers",
            [1, 7, 0xff, 0xff, 0xff, 0xff, 0xff, 0],
            RecordType::Stderr.into(),
            u16::MAX,
            u16::MAX,
            u8::MAX,
        ),
        (
            "GET_VALUES_RESULT",
            [1, 10, 0, 0, 0, 18, 6, 0],
            RecordType::GetValuesResult.into(),
            MANAGEMENT_ID,
            18,
            6,
        ),
        ("an unknown type", [1, 12, 0, 0, 0, 0, 0, 0], 12, 0, 0, 0),
    ];
    for &(what, bytes, record_type, request_id, content_len, padding_len) in rows {
        let header = RecordHeader {
            record_type,
            request_id,
            content_len,
            padding_len,
        };
        assert_eq!(header.encode(), bytes, "{what}");
        assert_eq!(RecordHeader::decode(&bytes), Ok(header), "{what}");
        let mut reserved = bytes;
        reserved[7] = 0xff;
        assert_eq!(RecordHeader::decode(&reserved), Ok(header), "{what}");
    }
    assert_eq!(CONTENT_MAX, usize::from(u16::MAX));
}

#[test]
fn versions_other_than_1() {
    for version in (0..=u8::MAX).filter(|&version| version != 1) {
        let bytes = [version, 6, 0, 1, 0, 0, 0, 0];
        assert_eq!(RecordHeader::decode(&bytes), Err(Reason::FastcgiVersion));
    }
}

#[test]
fn types_and_statuses() {
    let types = [
        RecordType::BeginRequest,
        RecordType::AbortRequest,
        RecordType::EndRequest,
        RecordType::Params,
        RecordType::Stdin,
        RecordType::Stdout,
        RecordType::Stderr,
        RecordType::Data,
        RecordType::GetValues,
        RecordType::GetValuesResult,
        RecordType::UnknownType,
    ];
    let statuses = [
        ProtocolStatus::RequestComplete,
        ProtocolStatus::CantMpxConn,
        ProtocolStatus::Overloaded,
        ProtocolStatus::UnknownRole,
    ];
    for number in 0..=u8::MAX {
        let place = usize::from(number);
        let known = place.checked_sub(1).and_then(|place| types.get(place));
        let expected = known.copied().ok_or(number);
        assert_eq!(RecordType::try_from(number), expected);
        assert!(known.is_none_or(|&known| u8::from(known) == number));

        let known = statuses.get(place);
        assert_eq!(
            ProtocolStatus::try_from(number),
            known.copied().ok_or(number)
        );
        assert!(known.is_none_or(|&known| u8::from(known) == number));
    }
}

#[test]
fn roles() {
    let roles = [Role::Responder, Role::Authorizer, Role::Filter];
    for (number, role) in (1..).zip(roles) {
        assert_eq!(Role::try_from(number), Ok(role));
        assert_eq!(u16::from(role), number);
    }
    for unknown in [0, 4, 0x0100, 0x0101, u16::MAX] {
        assert_eq!(Role::try_from(unknown), Err(unknown));
    }
}

#[test]
fn ends_of_a_request() {
    use ProtocolStatus::{CantMpxConn, Overloaded, RequestComplete, UnknownRole};
    for (what, bytes, app_status, protocol_status) in [
        ("a success", [0; 8], 0, RequestComplete),
        (
            "an exit status of 938",
            [0, 0, 3, 0xaa, 0, 0, 0, 0],
            938,
            RequestComplete,
        ),
        (
            "the greatest status",
            [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
            u32::MAX,
            RequestComplete,
        ),
        ("a second request", [0, 0, 0, 0, 1, 0, 0, 0], 0, CantMpxConn),
        (
            "no room",
            [0x01, 0x02, 0x03, 0x04, 2, 0, 0, 0],
            0x0102_0304,
            Overloaded,
        ),
        ("an unknown role", [0, 0, 0, 0, 3, 0, 0, 0], 0, UnknownRole),
    ] {
        let end = EndRequest {
            app_status,
            protocol_status,
        };
        assert_eq!(end.encode(), bytes, "{what}");
        assert_eq!(EndRequest::decode(&bytes), Ok(end), "{what}");
        let mut reserved = bytes;
        reserved[5..].fill(0xff);
        assert_eq!(EndRequest::decode(&reserved), Ok(end), "{what}");
    }
    for unknown in 4..=u8::MAX {
        let bytes = [0, 0, 0, 0, unknown, 0, 0, 0];
        assert_eq!(EndRequest::decode(&bytes), Err(Reason::FastcgiEndRequest));
    }
}
