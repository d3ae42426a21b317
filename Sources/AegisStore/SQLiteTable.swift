import GRDB

package enum SQLiteTableError: Error, Hashable, Sendable {
    /// SQLite's own words.
    case failed(path: String, String)
    /// The query would change the database.
    case notReadOnly
}

/// Rows of somebody else's SQLite database, in the memory of one row. Opened for reading only.
package struct SQLiteTable: Sendable {
    package enum Value: Sendable {
        case null
        case number(Double)
        /// A range of the row's bytes.
        case text(Range<Int>)
    }

    /// One row; its texts and blobs lie one after the other.
    package struct Row: Sendable {
        package fileprivate(set) var values: [Value] = []
        package fileprivate(set) var bytes: [UInt8] = []
    }

    private let path: String
    private let query: String

    package init(path: String, query: String) {
        self.path = path
        self.query = query
    }

    /// `onColumns` is given the names first, then `onRow` each row. What they throw goes through.
    package func read(
        onColumns: ([String]) throws -> Void, onRow: (borrowing Row) throws -> Void
    ) throws {
        do {
            var configuration = Configuration()
            configuration.readonly = true
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.read { database in
                let statement = try database.makeStatement(sql: query)
                guard statement.isReadonly else { throw SQLiteTableError.notReadOnly }
                try onColumns(statement.columnNames)
                let rows = try GRDB.Row.fetchCursor(statement)
                var row = Row()
                while let found = try rows.next() {
                    Self.take(found, into: &row)
                    try onRow(row)
                }
            }
        } catch let error as DatabaseError {
            throw SQLiteTableError.failed(path: path, error.message ?? "\(error.resultCode)")
        }
    }

    private static func take(_ found: GRDB.Row, into row: inout Row) {
        row.values.removeAll(keepingCapacity: true)
        row.bytes.removeAll(keepingCapacity: true)
        for index in 0..<found.count {
            switch (found[index] as DatabaseValue).storage {
            case .null: row.values.append(.null)
            case .int64(let number):
                // Beyond 2⁵³ a binary64 is another number: it stays text, as identifiers are.
                if let exact = Double(exactly: number) {
                    row.values.append(.number(exact))
                } else {
                    append("\(number)".utf8, to: &row)
                }
            case .double(let number): row.values.append(.number(number))
            case .string(let text): append(text.utf8, to: &row)
            case .blob(let data): append(data, to: &row)
            }
        }
    }

    private static func append(_ bytes: some Sequence<UInt8>, to row: inout Row) {
        let start = row.bytes.count
        row.bytes.append(contentsOf: bytes)
        row.values.append(.text(start..<row.bytes.count))
    }
}
