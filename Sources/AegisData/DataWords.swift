import AegisLearning
import AegisPrivacy
import AegisStore

/// What went wrong with data, a declaration or a model, in words: what, where, and what to do.
package struct DataWords: Hashable, Sendable {
    package let message: String
    package var details: [String] = []
    package var hint: String?
    /// The input is not there, rather than wrong.
    package var isMissing = false

    /// Nil for an error that is none of these.
    package init?(_ error: any Error) {
        switch error {
        case let error as DatasetError: self.init(dataset: error)
        case let error as DeclarationError:
            self.init(
                message: "the declaration has \(error.faults.count) fault(s)",
                details: error.faults.map { "\($0.field): \($0.message)" },
                hint: "docs/DATA.md lists every field")
        case let error as YAMLError: self.init(yaml: error)
        case let error as DataFileError: self.init(file: error)
        case let error as CSVError: self.init(message: Self.words(error))
        case let error as IDXError: self.init(message: Self.words(error))
        case let error as NPYError: self.init(message: Self.words(error))
        case let error as RecordsError: self.init(message: Self.words(error))
        case let error as GzipError: self.init(gzip: error)
        case let error as FileError: self.init(gzip: .file(error))
        case let error as ZipError: self.init(message: Self.words(error))
        case SQLiteTableError.failed(let path, let words):
            self.init(message: "\(path): SQLite says: \(words)")
        case SQLiteTableError.notReadOnly:
            self.init(message: "the query would change the database")
        case let error as ModelError: self.init(model: error)
        case let error as StoredModelError: self.init(stored: error)
        case let error as SafetensorsError: self.init(message: "not a safetensors file: \(error)")
        case let error as CentralTrainingError: self.init(training: error)
        case TrainingError.diverged(let step):
            self.init(
                message: "training diverged at step \(step): a parameter is no longer a number",
                hint: "lower the learning rate or the clip norm; nothing was saved")
        case TrainingError.countNoiseTooSmall:
            self.init(
                message: "adaptive clipping's count has too little noise for what is charged",
                hint: "it is more than half the noise multiplier: raise it, or the batch")
        case let error as TrainingError: self.init(message: "training can't begin: \(error)")
        case let error as PartitionError: self.init(message: "no such partition: \(error)")
        default: return nil
        }
    }

    private init(message: String, details: [String] = [], hint: String? = nil) {
        self.message = message
        self.details = details
        self.hint = hint
    }

    private init(dataset error: DatasetError) {
        switch error {
        case .faults(let faults, let total):
            var details = faults.map(Self.words)
            if total > faults.count { details.append("and \(total - faults.count) more") }
            self.init(message: "the data has \(total) fault(s)", details: details)
        case .columnMissing(let name, let present):
            self.init(
                message: "there is no column \(name)",
                hint: "the source has: " + present.prefix(20).joined(separator: ", "))
        case .duplicateColumn(let name):
            self.init(message: "the source has two columns \(name)")
        case .empty: self.init(message: "there are no records")
        case .noTestRecords: self.init(message: "the split leaves no records for the test")
        case .tooLarge(let values, let most):
            self.init(message: "\(values) values are more than the \(most) that are held at once")
        case .shape(let expected, let actual):
            self.init(message: "records have the shape \(actual), declared is \(expected)")
        case .labelCount(let features, let labels):
            self.init(message: "\(features) records but \(labels) labels")
        }
    }

    private static func words(_ fault: DataFault) -> String {
        let line = fault.line.map { " (line \($0))" } ?? ""
        let column = fault.column.map { ", column \($0)" } ?? ""
        let reason =
            switch fault.reason {
            case .notANumber(let text): "\(text) is not a number"
            case .notFinite(let text): "\(text) is not a finite number"
            case .missing: "the value is missing"
            case .unknownValue(let text): "\(text) is not one of the declared values"
            case .unknownLabel(let text): "\(text) is not one of the declared classes"
            case .outOfBounds(let value, let min, let max): "\(value) is not in \(min) to \(max)"
            case .wrongFieldCount(let expected, let actual):
                "\(actual) fields, the heading has \(expected)"
            }
        return "row \(fault.row)\(line)\(column): \(reason)"
    }

    private init(yaml error: YAMLError) {
        switch error {
        case .notYAML(let path, let words):
            self.init(
                message: "\(path) is not YAML",
                details: words.split(separator: "\n").map(String.init))
        case .empty(let path): self.init(message: "\(path) is empty")
        case .unsupported(let path, let line, let words):
            self.init(message: "\(path), line \(line): \(words)")
        }
    }

    private init(file error: DataFileError) {
        switch error {
        case .notFound(let path):
            self.init(message: "there is no file \(path)")
            isMissing = true
        case .tooLarge(let path, let most):
            self.init(message: "\(path) has more than \(most) bytes")
        case .noArrayFile(let folder, let name):
            self.init(message: "there is no \(name) or \(name).gz in \(folder)")
            isMissing = true
        case .notIDX(let path, let error): self.init(message: "\(path): \(Self.words(error))")
        case .notNPY(let path, let error): self.init(message: "\(path): \(Self.words(error))")
        }
    }

    private init(gzip error: GzipError) {
        switch error {
        case .notGzip(let path): self.init(message: "\(path) is not a gzip file")
        case .truncated(let path):
            self.init(message: "\(path) is cut off: its gzip stream ends early")
        case .corrupted(let path, let words): self.init(message: "\(path) is damaged: \(words)")
        case .tooLarge(let path, let most):
            self.init(message: "\(path) unpacks to more than \(most) bytes")
        case .file(.notFound(let path)):
            self.init(message: "there is no file \(path)")
            isMissing = true
        case .file(let error): self.init(message: "a file can't be read: \(error)")
        }
    }

    private static func words(_ error: CSVError) -> String {
        switch error {
        case .unterminatedQuote(let line): "line \(line): a quoted field never ends"
        case .strayQuote(let line, let field): "line \(line), field \(field + 1): a stray quote"
        case .rowTooLong(let line, let most): "line \(line): a row of more than \(most) bytes"
        case .tooManyFields(let line, let most): "line \(line): more than \(most) fields"
        }
    }

    private static func words(_ error: IDXError) -> String {
        switch error {
        case .notIDX(let offset): "not an IDX file: its magic number is wrong at byte \(offset)"
        case .unsupportedType(let type, let offset):
            "IDX values of type \(type) at byte \(offset) are not read, only bytes (8)"
        case .wrongDimensions(let expected, let actual, let offset):
            "the IDX file has \(actual) dimensions at byte \(offset), not \(expected)"
        case .tooLarge(let offset): "the IDX header at byte \(offset) declares too much"
        case .truncated(let offset): "the IDX file is cut off at byte \(offset)"
        case .trailingBytes(let offset): "bytes follow the end of the IDX data at byte \(offset)"
        case .rowOutOfRange(let row, let rows):
            "row \(row) is asked for, the IDX file has \(rows)"
        case .rowsNotAscending(let index): "rows are asked for out of order at \(index)"
        }
    }

    private static func words(_ error: NPYError) -> String {
        switch error {
        case .notNPY: "not a NumPy array: the first bytes are not \\x93NUMPY"
        case .unsupportedType(let type): "NumPy arrays of type \(type) are not read"
        case .columnMajor: "column-major NumPy arrays are not read; save a C-ordered copy"
        case .truncated(let expected, let actual):
            "the NumPy array is cut off: \(actual) of \(expected) bytes"
        case .trailingBytes: "bytes follow the end of the NumPy array"
        case .unsupportedVersion, .malformedHeader, .tooLarge: "not a NumPy array: \(error)"
        }
    }

    private static func words(_ error: RecordsError) -> String {
        switch error {
        case .countsDiffer(let features, let labels):
            "\(features) values do not go with \(labels) labels"
        case .labelOutOfRange(let index, let label):
            "row \(index + 1): label \(label) is not one of the declared classes"
        case .notFinite(let index): "value \(index + 1) is not a finite number"
        }
    }

    private static func words(_ error: ZipError) -> String {
        switch error {
        case .notZip(let path): "\(path) is not a zip archive"
        case .corrupted(let path, let words): "\(path) is damaged: \(words)"
        case .entryMissing(let name, let present):
            "there is no array \(name); the archive has " + present.joined(separator: ", ")
        case .unsupported(let entry): "\(entry) is packed in a way that is not read"
        case .wrongChecksum(let entry): "\(entry) is damaged: its checksum differs"
        case .gzip(let error): DataWords(gzip: error).message
        }
    }

    private init(model error: ModelError) {
        switch error {
        case .batchNormalisation(let layer):
            self.init(
                message:
                    "layer \(layer) is batch normalisation, which mixes the records of a batch: "
                    + "no record's part can be bounded", hint: "use group-norm")
        case .shapeDoesNotFit(let layer, let what, let shape):
            self.init(message: "layer \(layer), \(what), can't follow values of shape \(shape)")
        case .invalidLayer(let layer, let what):
            self.init(message: "layer \(layer), \(what), has a size that can't be")
        case .invalidInput(let shape):
            self.init(message: "the model can't take records of shape \(shape)")
        case .noParameters, .tooManyParameters, .endsInNoVector:
            self.init(message: "the layers make no model: \(error)")
        }
    }

    private init(stored error: StoredModelError) {
        switch error {
        case .noDeclaration:
            self.init(
                message: "the file does not say what model it is",
                hint: "give its declaration with --architecture")
        case .otherTensors(let expected, let actual):
            self.init(
                message: "the file has \(actual) parameters in other tensors than the model's "
                    + "\(expected)")
        case .notFinite(let index): self.init(message: "parameter \(index) is not a finite number")
        case .invalidInput: self.init(message: "the file's record shape can't be")
        }
    }

    private init(training error: CentralTrainingError) {
        switch error {
        case .batchSize(let size, let records):
            self.init(message: "a batch of \(size) can't be drawn from \(records) records")
        case .modelDoesNotFit(let inputs, let outputs, let width, let classes):
            self.init(
                message: "the model takes \(inputs) values and gives \(outputs), the data has "
                    + "\(width) and \(classes == 0 ? "a number" : "\(classes) classes")")
        case .calibration(.invalidTarget):
            self.init(message: "epsilon is above 0, delta between 0 and 1")
        case .calibration(let error):
            self.init(message: "no noise reaches that budget: \(error)")
        case .noise(let multiplier):
            self.init(message: "a noise multiplier of \(multiplier) can't be")
        }
    }
}
